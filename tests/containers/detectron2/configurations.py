from pathlib import Path

import configuration
import hyperparameters

CHANNEL = Path(__file__).parent


def build(name, *more, iterations=90, device="cpu"):
    arguments = hyperparameters.parser(None).parse_args(["--model_config", name, *more])
    found = configuration.read(name, CHANNEL)
    return configuration.build(found, arguments, 3, iterations, device)


def refused(*arguments):
    try:
        build(*arguments)
    except configuration.BadConfiguration as error:
        return str(error)
    raise AssertionError(arguments)


small = build("small", "--image_size", "96", "--schedule", "steps", "--freeze_at", "1", "--overrides",
              '["MODEL.RPN.NMS_THRESH", 0.6]')  # fmt: skip
assert small.MODEL.ROI_HEADS.NUM_CLASSES == 3 and small.MODEL.RPN.NMS_THRESH == 0.6
assert small.MODEL.BACKBONE.FREEZE_AT == 1
assert (small.INPUT.MIN_SIZE_TRAIN, small.INPUT.MAX_SIZE_TEST) == ((96,), 192)
assert small.SOLVER.STEPS == (60, 80) and small.SOLVER.WARMUP_ITERS == 20
assert build("small", iterations=40).SOLVER.WARMUP_ITERS == 10
zoo = build("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", "--schedule", "constant")
assert zoo.MODEL.WEIGHTS == "" and zoo.INPUT.MIN_SIZE_TEST == 800 and zoo.SOLVER.STEPS == ()
assert build("COCO-Detection/retinanet_R_50_FPN_1x.yaml").MODEL.RETINANET.NUM_CLASSES == 3
assert "Non-existent config key: MODEL.NO_SUCH_KEY" in refused("unknown.yaml")
assert "has MASK_ON, but this family learns boxes" in refused("masks.yaml")
assert "MASK_ON" in refused("small", "--overrides", '["MODEL.MASK_ON", true]')
assert "overrides: " in refused("small", "--overrides", '["MODEL.RPN.NMS_THRESH", "high"]')
assert "overrides: " in refused("small", "--overrides", '["MODEL.NONE", 1]')
