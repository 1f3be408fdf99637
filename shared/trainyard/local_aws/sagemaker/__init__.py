"""The operations of SageMaker's API, a module for each kind of resource."""
