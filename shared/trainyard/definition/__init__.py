"""The language of SageMaker pipeline definitions, read and evaluated without files, network or SDK."""
