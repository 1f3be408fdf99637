"""One thin module per family: ``build(family, session)`` returns its SageMaker Pipeline."""
