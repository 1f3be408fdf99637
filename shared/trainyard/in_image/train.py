"""What an image does as ``train``: the sagemaker-training toolkit runs the family's script.

The toolkit is told to start the script through ``run_script`` (``SAGEMAKER_TRAINING_MODULE``, the way of
AWS's own framework images), because left alone it does not pass signals on, answers every failure
with exit code 1 and an empty message, and imports a whole TensorFlow to know its exceptions.
"""

from __future__ import annotations

import os
from pathlib import Path

from trainyard.in_image.script import Script

DEFAULT_PROGRAM = "train.py"
_MODULE = "SAGEMAKER_TRAINING_MODULE"
_RUN_SCRIPT = "trainyard.in_image.train:run_script"

_script = Script()


def main() -> int:
    """Run the training job that is laid out in ``/opt/ml``; the script's exit code is the job's."""
    if os.environ.setdefault(_MODULE, _RUN_SCRIPT) == _RUN_SCRIPT:
        _script.listen()
    from sagemaker_training import trainer

    try:
        trainer.train()
    except SystemExit as ended:
        return _script.exit_code or int(ended.code or 0)
    return 0


def run_script() -> None:
    """The toolkit's framework function: lay the code out, wait for the other hosts, run the script.

    Raises the toolkit's ClientError, whose text becomes the failure file where the script wrote none.
    """
    from sagemaker_training import entry_point, environment, errors, modules, params, process

    job = environment.Environment()
    if job.user_entry_point is None:
        os.environ[params.USER_PROGRAM_ENV] = DEFAULT_PROGRAM
        job = environment.Environment()
    if job.additional_framework_parameters.get(params.MPI_ENABLED):
        raise errors.ClientError(
            f"hyperparameter {params.MPI_ENABLED} is set, but this image starts one process per host; "
            f"start more from {job.user_entry_point} (torchrun), or set {_MODULE} in the image"
        )
    if job.module_dir == environment.code_dir:
        # requirements.txt beside the image's own code is what the image was made from
        modules.has_requirements = lambda path: False

    class Runner(process.ProcessRunner):  # type: ignore[misc]
        def run(self, wait: bool = True, capture_error: bool = False) -> None:
            command = self._create_command()
            print("Running", *command, flush=True)
            code = _script.run(command, Path(environment.code_dir), os.environ)
            if code:
                raise errors.ExecuteUserScriptError(
                    cmd=" ".join(command), return_code=code, output=_script.last_words(), info=_explain(code)
                )

    arguments = job.to_cmd_args()
    runner = Runner(job.user_entry_point, arguments, job.to_env_vars(), 1)
    entry_point.run(job.module_dir, job.user_entry_point, arguments, job.to_env_vars(), runner_type=runner)


def _explain(code: int) -> str | None:
    return "killed by SIGKILL (signal 9), as when memory runs out" if code == 137 else None


if __name__ == "__main__":
    # the toolkit imports this module by its name, so its functions must be the ones that run
    from trainyard.in_image.train import main as main_of_the_imported_module

    raise SystemExit(main_of_the_imported_module())
