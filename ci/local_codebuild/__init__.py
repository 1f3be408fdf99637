"""Run a repository's buildspec on this machine as AWS CodeBuild would.

    PYTHONPATH=shared python -m ci.local_codebuild [BUILDSPEC] [--batch] [--event push:main] ...

It exists so that a buildspec can be tested before it is pushed: what runs, in which order, with which
variables, and what happens after a failure. Sources: the pages build-spec-ref, batch-build-buildspec,
build-env-ref-env-vars and view-build-details of the CodeBuild user guide. It needs Linux (/proc).

What is as in CodeBuild: version 0.2, phases and their transitions, ``finally``, ``on-failure``, one script per
command with only exported variables and the working directory carried over, the precedence of variables,
parameter store and Secrets Manager (through boto3, so AWS_ENDPOINT_URL decides who answers), masked secrets,
exported variables, artifacts, report groups, and the order of a batch.

What is not:

- The image is this machine and the caller's environment (without CODEBUILD_* and PYTHONPATH). ``image``,
  ``compute-type``, ``fleet``, ``type``, ``runtime-versions`` and ``run-as`` are noted and ignored; HOME is kept.
- ``privileged-mode``: no Docker daemon is started; the machine's own is used where there is one.
- IAM: commands run with the caller's credentials, not with a service role. Credential helpers and ``proxy``
  are ignored.
- Timeouts, queues, caches and ``s3-prefix`` have no effect; a batch runs one build after the other.
- The clone has the whole history; submodules are left out.
- ``on-failure: RETRY...`` and ``build-fanout`` are refused.

What the pages leave open, and what is done here: a phase that failed with ``on-failure: CONTINUE`` still fails
the build. A report group without matching files is INCOMPLETE and does not fail the build; artifacts without
matching files do. In a build graph, what depends on a failed build does not run unless that build has
``ignore-failure``. A batch task's variables rank between those of --env and those of the project. Where a list
or matrix names no identifiers, they are build1, build2 and so on.
"""
