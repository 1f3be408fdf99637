"""Plain boto3: invoke both variants, shift all traffic to one, and see it go there."""

import time
from collections import Counter

import boto3

sagemaker, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")


def invoke(**more):
    answer = runtime.invoke_endpoint(EndpointName="lines", ContentType="text/csv", Body=b"1\n2\n", **more)
    values = [float(line) for line in answer["Body"].read().split()]
    assert abs(values[0] - 3) < 0.5 and abs(values[1] - 6) < 1, values
    return answer["InvokedProductionVariant"]


assert invoke(TargetVariant="tuned") == "tuned" and invoke(TargetVariant="registered") == "registered"
seen = Counter(invoke() for _ in range(60))
assert set(seen) == {"tuned", "registered"}, seen
sagemaker.update_endpoint_weights_and_capacities(
    EndpointName="lines",
    DesiredWeightsAndCapacities=[
        {"VariantName": "tuned", "DesiredWeight": 0}, {"VariantName": "registered", "DesiredWeight": 1},
    ],
)  # fmt: skip
while sagemaker.describe_endpoint(EndpointName="lines")["EndpointStatus"] != "InService":
    time.sleep(0.2)
after = Counter(invoke() for _ in range(20))
assert after == {"registered": 20}, after
print(dict(seen), "->", dict(after))
