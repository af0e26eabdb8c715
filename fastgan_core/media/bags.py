"""rosbag2 without ROS: the images of one topic.

Definitions in a bag are not used: the image types are the same in every ROS 2, and the reader would make
Python code of what a file says.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastgan_core.errors import FastganError
from fastgan_core.media.encodings import from_compressed, to_rgb

try:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader
    from rosbags.serde import SerdeError
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    from rosbags.typesys.store import Typestore
except ImportError:
    raise FastganError("bags need the package rosbags, which is missing; run: pip install rosbags") from None

_CONVERTERS = {"sensor_msgs/msg/Image": to_rgb, "sensor_msgs/msg/CompressedImage": from_compressed}
_INTERFACES = Path(__file__).parent / "msg"  # in the source tree a link to those of fastgan_interfaces


class Moment(NamedTuple):
    """Where an image stands in its bag."""

    time: int  # of the recording, nanoseconds
    header: Any  # its std_msgs/Header


def typestore() -> Typestore:
    """The types of ROS 2 and of fastgan_interfaces."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    for file in sorted(_INTERFACES.glob("*.msg")):
        store.register(get_types_from_msg(file.read_text(), f"fastgan_interfaces/msg/{file.stem}"))
    return store


class Bag:
    """The images of one topic of a rosbag2, sqlite3 or mcap; iterable again and again.

    Args:
        path: the bag's folder, or a .db3 or .mcap file.
        topic: of sensor_msgs/Image or CompressedImage; "" for the only one with images.

    Attributes:
        storage: ``sqlite3`` or ``mcap``. fps: mean rate of the images, 1 to 120 Hz.
        unreadable, reason: images of the last iteration that could not be decoded; why the first could not.

    Raises:
        FastganError: it is no bag, is damaged, or has no such topic; damage may show in the iteration only.
    """

    def __init__(self, path: str | Path, topic: str = ""):
        self.path, self.topic = Path(path), "/" + topic.strip("/") if topic else ""
        self.unreadable, self.reason = 0, ""
        self._types = typestore()
        if self.path.suffix == ".bag":
            raise FastganError(f"{path}: is a ROS 1 bag; convert it with 'rosbags-convert --src {path} --dst NEWBAG'")
        if self.path.is_dir() and not (self.path / "metadata.yaml").exists():
            raise FastganError(
                f"{path}: this bag has no metadata.yaml, as when its recorder was killed; run "
                f"'ros2 bag reindex {path}', or give the .db3 or .mcap file in it"
            )
        files = list(self.path.iterdir()) if self.path.is_dir() else [self.path]
        self.storage = "mcap" if any(".mcap" in file.suffixes for file in files) else "sqlite3"
        with self._open() as reader:
            self.topic = self.topic or self._only_topic(reader)
            self._length = sum(connection.msgcount for connection in self._connections(reader))
            rate = (self._length - 1) * 1e9 / max(reader.duration, 1)
            self.fps = min(max(rate, 1.0), 120.0)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[Moment | None, np.ndarray | None]]:
        """``(moment, frame)`` of every message in the order of the recording, frame ``(H, W, 3) uint8 RGB``.

        Both are None for an image that cannot be decoded.
        """
        self.unreadable, self.reason = 0, ""
        with self._open() as reader:
            messages, number = iter(reader.messages(self._connections(reader))), 0
            while True:
                try:
                    connection, time, raw = next(messages)
                except StopIteration:
                    return
                except Exception as error:  # as in _open()
                    raise self._damaged(f"is damaged after {number} images", error) from None
                number += 1
                yield self._decode(connection.msgtype, time, raw)

    def _decode(self, kind: str, time: int, raw: bytes) -> tuple[Moment | None, np.ndarray | None]:
        try:
            # Frames are views of these bytes, and torch warns of those that cannot be written to.
            message = self._types.deserialize_cdr(memoryview(bytearray(raw)), kind)
            return Moment(time, message.header), _CONVERTERS[kind](message)
        except FastganError as error:
            reason = str(error)
        except SerdeError as error:
            reason = f"The message is cut off or damaged: {error}"
        self.unreadable += 1
        self.reason = self.reason or reason
        return None, None

    @contextmanager
    def _open(self) -> Iterator[Reader]:
        try:
            reader = Reader(self.path)
            reader.open()
        except Exception as error:  # rosbags' own, YAML's, SQLite's, zstd's, struct's: all mean "damaged"
            raise self._damaged("cannot be read as a bag", error) from None
        try:
            yield reader
        finally:
            reader.close()

    def _damaged(self, what: str, error: Exception) -> FastganError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return FastganError(f"{self.path}: {what} ({reason}); copy it again, or try 'ros2 bag reindex' on a copy")

    def _connections(self, reader: Reader) -> list[Connection]:
        of_topic = [connection for connection in reader.connections if connection.topic == self.topic]
        images = [connection for connection in of_topic if connection.msgtype in _CONVERTERS]
        if not images:
            what = f"holds {of_topic[0].msgtype}, not images" if of_topic else "is not in this bag"
            raise FastganError(f"{self.path}: the topic {self.topic} {what}; {_listed(reader)}")
        return images

    def _only_topic(self, reader: Reader) -> str:
        topics = [topic for topic, count in _image_topics(reader).items() if count]
        if len(topics) != 1:
            raise FastganError(f"{self.path}: choose a topic with --topic; {_listed(reader)}")
        return topics[0]


def _image_topics(reader: Reader) -> dict[str, int]:
    counts: dict[str, int] = {}
    for connection in reader.connections:
        if connection.msgtype in _CONVERTERS:
            counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
    return counts


def _listed(reader: Reader) -> str:
    topics = [f"{topic} ({count})" for topic, count in sorted(_image_topics(reader).items())]
    return f"topics with images: {', '.join(topics)}" if topics else "no topic in it holds images"
