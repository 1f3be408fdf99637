"""Plain boto3: a bucket, data, and a role."""

import boto3

s3, iam = boto3.client("s3"), boto3.client("iam")
s3.create_bucket(Bucket="clients")
s3.put_object(Bucket="clients", Key="raw/points.txt", Body=b"1:3 2:6 3:9 4:12")
s3.put_object(Bucket="clients", Key="points/points.csv", Body=b"1,3\n2,6\n3,9\n")
role = iam.create_role(RoleName="pipelines", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
assert boto3.client("sts").get_caller_identity()["Account"] in role
print(sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]))
