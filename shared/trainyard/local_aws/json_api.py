"""One service of the AWS JSON protocols, from its operations: botocore's model checks what goes in and shapes what
comes out."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from trainyard.errors import AlreadyExists, Conflict, DiskFull, NotFound, StoreBusy, UserError
from trainyard.local_aws import wire
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError, Request, Response, as_aws

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

# what a service may call an error of ours; where an operation declares none of them, ValidationException
_CODES = {
    NotFound: ("ResourceNotFound", "ResourceNotFoundException"),
    AlreadyExists: ("ResourceInUse", "ResourceAlreadyExistsException", "ConflictException"),
    Conflict: ("ConflictException", "ResourceInUse"),
    DiskFull: ("ResourceLimitExceeded", "ResourceLimitExceededException"),
}


class JsonApi:
    """A Service. ``service`` is botocore's name of it, ``operations`` what of it there is here.

    An unknown operation of the service is refused by name, a bug answers InternalFailure and is printed to stderr.
    """

    def __init__(self, service: str, operations: Mapping[str, Handler], context: Context) -> None:
        self.service = service
        self.operations = operations
        self._context = context

    def __call__(self, request: Request) -> Response:
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
        model = service_model(self.service)
        try:
            if not name:  # feature store's and metrics' requests are signed with SageMaker's name, too
                what = f"{request.method} {request.path}"
                raise AwsError("UnsupportedOperation", f"{what} is not supported by the local endpoint")
            return self._answer(200, self._run(model, name, request.body()))
        except AwsError as error:
            return self._error(model, error)
        except Exception:
            traceback.print_exc()
            reason = "the local endpoint has a bug; its log shows where"
            return self._error(model, AwsError("InternalFailure", reason, 500))

    def _run(self, model: ServiceModel, name: str, body: bytes) -> Any:
        if name not in model.operation_names:
            raise AwsError("UnknownOperationException", f"{name!r} is no operation of {self.service}")
        if name not in self.operations:
            raise AwsError("UnsupportedOperation", f"{name} is not supported by the local endpoint")
        operation = model.operation_model(name)
        members = wire.load(body)
        given = wire.parse(operation.input_shape, members) if operation.input_shape else {}
        try:
            answer = self.operations[name](self._context, given)
        except UserError as error:
            raise worded(error, operation) from error
        return wire.serialize(operation.output_shape, answer) if operation.output_shape else {}

    def _error(self, model: ServiceModel, error: AwsError) -> Response:
        return self._answer(
            error.status,
            {"__type": error.code, _message_member(model, error.code): str(error)},
            ("x-amzn-ErrorType", error.code),
        )

    def _answer(self, status: int, content: Any, *headers: tuple[str, str]) -> Response:
        version = service_model(self.service).metadata["jsonVersion"]
        kind = ("Content-Type", f"application/x-amz-json-{version}")
        return Response(status=status, body=json.dumps(content).encode(), headers=(kind, *headers))


@cache
def service_model(service: str) -> ServiceModel:
    """Botocore's model of a service such as ``sagemaker``; the first call takes a third of a second."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def declared(operation: OperationModel) -> set[str]:
    """The codes of the errors that the model says an operation may end with."""
    return {shape.name for shape in operation.error_shapes}


def worded(error: UserError, operation: OperationModel) -> AwsError:
    """What an operation calls an error of ours."""
    codes = declared(operation)
    if code := next((code for code in _CODES.get(type(error), ()) if code in codes), ""):
        return AwsError(code, str(error))
    if isinstance(error, AwsError | DiskFull | StoreBusy):  # nothing is wrong with the request
        return as_aws(error)
    return AwsError("ValidationException", str(error))


def _message_member(model: ServiceModel, code: str) -> str:
    """Errors of the model spell the member as it does; AWS's common errors say ``message``."""
    shape = model.shape_for(code) if code in model.shape_names else None
    members = [] if shape is None else list(shape.members)
    return next((name for name in members if name.lower() == "message"), "message")
