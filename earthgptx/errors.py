"""The errors a user can cause, one name a mistake.

Each is raised with one sentence that holds the numbers needed to mend it; the command line prints that
sentence and exits with code 2. Broken invariants of the code itself stay plain `AssertionError`s.
"""

# ruff: noqa: N818  (the names are sentences about the input; "Error" behind each would say nothing more)

from __future__ import annotations


class EarthGPTXError(Exception):
    """Root of every error that is the input's fault and not the code's."""


class UnreadableImagery(EarthGPTXError):
    """The file is missing, cut short, or in no format that can be read as an image."""


class ImageTooLarge(EarthGPTXError):
    """The image has more pixels than the caller allows in memory."""


class EmptyImagery(EarthGPTXError):
    """The image holds no valid pixel: zero size, all nodata, or all NaN."""


class UnknownSensor(EarthGPTXError):
    """The sensor's name is none of those the model knows."""


class MalformedMark(EarthGPTXError):
    """A mark cannot be parsed, or encloses nothing, or crosses itself."""


class MarkOutsideImage(EarthGPTXError):
    """A mark does not touch the image it was drawn for."""


class RegionCountMismatch(EarthGPTXError):
    """The text names a region for which no mark was given."""


class TooManyMarks(EarthGPTXError):
    """More marks were given than one question can carry."""


class EmptyQuestion(EarthGPTXError):
    """The question holds no word."""


class TooManyQuestions(EarthGPTXError):
    """More questions were given than can be asked at once."""


class QuestionTooLong(EarthGPTXError):
    """The question does not fit the model's context."""


class UnknownModel(EarthGPTXError):
    """The model's name is neither a known size nor a folder with a checkpoint."""


class DeviceUnavailable(EarthGPTXError):
    """The device's name is unknown, or this machine has no such device."""


class BrokenCheckpoint(EarthGPTXError):
    """A checkpoint lacks a file, or its tensors do not fit the model."""


class DiskFull(EarthGPTXError):
    """A disk holds no more, or would not hold what is to be written; what was there before is as it was."""


class HashMismatch(EarthGPTXError):
    """A downloaded file is not the one that was pinned."""


class WheelUnavailable(EarthGPTXError):
    """A wheel of the package index cannot be downloaded."""


class WeightsUnavailable(EarthGPTXError):
    """Pretrained weights are in no cache and can be fetched from nowhere."""


class MisplacedTokens(EarthGPTXError):
    """The special tokens of a text do not match the images, marks or masks that come with it."""


class MalformedDataset(EarthGPTXError):
    """A dataset's folder or annotation file is not laid out as its adapter expects."""


class EnclosesNothing(EarthGPTXError):
    """A labelled box or outline has no area, so that there is no object in it."""


class MalformedCorpus(EarthGPTXError):
    """A built corpus is missing, incomplete, or not what its manifest says."""


class MalformedMixture(EarthGPTXError):
    """The split, weights or saved position given for a mixture do not go with the corpus or the run."""


class MalformedTiling(EarthGPTXError):
    """The sizes by which big images are to be cut contradict each other."""


class WorkerLost(EarthGPTXError):
    """A process that shared the work was ended from outside, most often for want of memory."""


class EndpointFailed(EarthGPTXError):
    """A vision-language model's endpoint cannot be used: unreachable, not authorised, or it speaks otherwise."""


class BudgetSpent(EarthGPTXError):
    """The money or tokens that the user allowed are used up; what was made so far is kept."""


class MalformedRegions(EarthGPTXError):
    """A file of regions is missing, is no vector file, or is in a reference system that there is not."""


class MalformedSceneList(EarthGPTXError):
    """A folder, pattern or list names no scenes, or two that would be written to one file."""


class OutputExists(EarthGPTXError):
    """Where the result should go there is one already, or an unfinished one of another run."""


class UnknownBenchmark(EarthGPTXError):
    """The benchmark's name is none of those that can be run."""


class MalformedPredictions(EarthGPTXError):
    """A file of predictions is missing, is not as described, or answers another benchmark."""


class FolderNotShared(EarthGPTXError):
    """A machine that shares the work does not see the folder that all write to."""


class MissingExtra(EarthGPTXError):
    """What was asked for needs an optional dependency that is not installed."""


class MetricUnavailable(EarthGPTXError):
    """A metric needs a program or a package that is missing or fails."""


class UnwritableReport(EarthGPTXError):
    """Where a report should go there is a folder, or no folder in which it can be written."""


class MalformedRecipe(EarthGPTXError):
    """A recipe file, or an override of one of its fields, cannot be used."""


class WrongProcessCount(EarthGPTXError):
    """A run has more or fewer processes than were asked for, or some of them never came."""


class TrainingDiverged(EarthGPTXError):
    """The loss is no longer a number; the last good checkpoint stays as it was."""


class FolderInUse(EarthGPTXError):
    """Another process writes where this one wants to."""


class BadSetting(EarthGPTXError):
    """An environment variable of the server is of the wrong kind, or would leave the server open to strangers."""


class MalformedRequest(EarthGPTXError):
    """A request to the server is not what the address takes."""


class WrongToken(EarthGPTXError):
    """A request carries no token, or another than the server's."""


class ForeignPage(EarthGPTXError):
    """A web page of another address, or a name that is not this server's, calls the server."""


class PathOutsideRoot(EarthGPTXError):
    """A path leads out of the folder below which the server may open files."""


class UnknownScene(EarthGPTXError):
    """There is no such scene on the server: it was never there, was removed, or has expired."""


class UnknownAnswer(EarthGPTXError):
    """There is no such answer to a scene, or mask of an answer."""


class UnknownDialogue(EarthGPTXError):
    """There is no such dialogue about a scene."""


class TileOutsideScene(EarthGPTXError):
    """A tile lies beyond the scene's grid."""


class UploadTooLarge(EarthGPTXError):
    """A request's body is larger than the server takes."""


class TooManyScenes(EarthGPTXError):
    """The server keeps as many scenes as it may."""


class ServerBusy(EarthGPTXError):
    """The request is fine but cannot be served now.

    Args:
        sentence: why.
        retry_after: seconds after which to try again.
    """

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class QueueFull(ServerBusy):
    """As many questions wait as may."""


class ModelNotReady(ServerBusy):
    """The model is still being loaded, or could not be."""


class ServerStopping(ServerBusy):
    """The server is going down and answers nothing more."""


class AnswerTookTooLong(EarthGPTXError):
    """A question was given up because its time was over."""
