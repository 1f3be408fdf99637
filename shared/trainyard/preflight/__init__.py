"""Does an image keep SageMaker's container contract: looked at first, without running it, then tried in containers."""
