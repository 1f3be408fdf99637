"""Looks at a model and says what it thinks."""


def handler(event, context):
    note = "-".join([*event["words"], event["model"].rsplit("/", 1)[1], event["run"].split("/")[1]])
    return {"statusCode": 200, "allowed": event["limit"] != 5, "size": 4, "note": note}
