"""The local endpoint: boto3, the aws CLI and the SageMaker SDK talk to it as to AWS, and what they ask for happens."""
