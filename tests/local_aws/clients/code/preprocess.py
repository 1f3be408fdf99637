"""A processing script that asks S3 itself for what it needs, as many do."""

import argparse
import pathlib

import boto3

parser = argparse.ArgumentParser()
parser.add_argument("--bucket", required=True)
args = parser.parse_args()
lines = (
    boto3.client("s3").get_object(Bucket=args.bucket, Key="raw/points.txt")["Body"].read().decode().split()
)
output = pathlib.Path("/opt/ml/processing/train")
(output / "points.csv").write_text("\n".join(line.replace(":", ",") for line in lines) + "\n")
print(f"{len(lines)} points", flush=True)
