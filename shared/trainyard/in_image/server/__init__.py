"""The pooled model server: many models in one process behind SageMaker's two HTTP contracts for serving.

Sources: AWS SageMaker Developer Guide, "Custom inference code with hosting services", "Custom inference
code with batch transform", "Container contract for multi-model endpoints" (mms-container-apis).
"""
