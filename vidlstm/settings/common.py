"""What all tasks share: the backbone, the decoding, the tracking."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidlstm.settings.ranges import FramesOrAuto, NotNegative, Rate, Seconds, Share, Side, Workers


@dataclass
class BackboneSettings:
    """The frozen network that turns frames into features.

    Args:
        name: a torchvision classification model (mobilenet_v2, resnet18, ...), efficientnet_lite0, timm:NAME,
            a YOLO network's yolo:embed, yolo:objects, yolo:pose or yolo:joints, or package.module:function
            for a network of yours; several joined by + stand side by side. Of tracked objects (data.tracks)
            these see what is cut out, and track:pose describes the body.
        weights: a weights file, or the word 'random'. Without it: torch hub's cache, then the installed
            package, then a download if that is allowed. Joined networks take as many, joined by +.
        trust: read a YOLO file that holds more than a plain network, and so may run any code.
        size: of the square frames given to a YOLO network or one of timm's, in pixels; None is what it was
            trained on.
        download: allow torchvision and timm to download their weights.
        dtype: the number format it computes in; auto takes bfloat16 where the processor has it.
        fit: how a frame is brought to the input size. squash keeps the whole view, crop cuts the middle out,
            letterbox pads; auto is letterbox for YOLO and squash for the others.
        compile: run it through torch.compile; for GPUs, where it pays off after some thousands of frames. On
            a CPU what is built in is faster.
        batch_size: frames per forward pass; the last batch is padded to it. 0 takes 32, and on a GPU as many
            as its memory suggests, up to 512.
    """

    name: str = "mobilenet_v2"
    weights: str | None = None
    trust: bool = False
    size: Side | None = None
    download: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    fit: Literal["auto", "squash", "crop", "letterbox"] = "auto"
    compile: bool = False
    batch_size: FramesOrAuto = 0


@dataclass
class SamplingSettings:
    """Which frames become features.

    Args:
        fps: features per second of video. A slower video gives one feature per frame.
        decoder: auto takes PyAV and falls back to OpenCV.
        image_fps: the rate of a folder of frame images, which carries no clock of its own.
        workers: decode processes; 0 takes one per core, at most sixteen.
        timeout_seconds: a video that gives no frame for this long is listed as failed.
        copies: a folder that keeps what is downloaded of a bucket; None deletes each video when it has been
            decoded.
    """

    fps: Rate = 10.0
    decoder: Literal["auto", "pyav", "opencv"] = "auto"
    image_fps: Rate = 25.0
    workers: Workers = 0
    timeout_seconds: Seconds = 60.0
    copies: Path | None = None


@dataclass
class TrackingSettings:
    """What is found in each frame of a video, and how it is followed.

    Args:
        weights: the file of a YOLO detection, pose or segmentation network.
        trust: run the code of a weights file that holds more than layers and numbers.
        boxes: MOTChallenge text files in place of a network, one a video, in the same order; without
            identities they are detections.
        tracker: bytetrack, or botsort, which follows a moving camera.
        classes: names of the classes to keep; none keeps all.
        confidence: less certain detections are dropped; the trackers make use of uncertain ones.
        image_size: longest side that frames are scaled to for the network, pixels.
        lost_seconds: for how long an object that is not seen keeps its number.
        start_confidence: how certain a detection must be to begin a track, and to be matched first.
        weigh_overlap: uncertain detections need a larger overlap to be matched. Off, faint people in dark or
            coarse pictures are followed for longer, and wrong boxes too.
        fps: frames a second that are looked at; None takes all.
        batch_size: frames that go through the network together; 0 takes what suits the device.
        decoder: auto takes PyAV and falls back to OpenCV.
        image_fps: the rate of a folder of frame images, which carries no clock of its own.
        timeout_seconds: a video that gives no frame for this long is listed as failed.
    """

    weights: Path | None = None
    trust: bool = False
    boxes: list[Path] | None = None
    tracker: Literal["bytetrack", "botsort"] = "bytetrack"
    classes: list[str] | None = None
    confidence: Share = 0.1
    image_size: Side = 640
    lost_seconds: NotNegative = 1.0
    start_confidence: Share = 0.25
    weigh_overlap: bool = True
    fps: Rate | None = None
    batch_size: FramesOrAuto = 0
    decoder: Literal["auto", "pyav", "opencv"] = "auto"
    image_fps: Rate = 25.0
    timeout_seconds: Seconds = 60.0
