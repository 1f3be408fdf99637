"""Says what it is told."""


def handler(event, context):
    return {"said": event["what"].rsplit("/", 1)[-1]}
