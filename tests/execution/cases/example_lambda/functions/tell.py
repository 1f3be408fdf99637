"""The version in a model package's ARN."""


def handler(event, context):
    return {"version": event["package"].rsplit("/", 1)[1]}
