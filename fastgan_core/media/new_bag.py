"""A rosbag2 of masks and objects, written without ROS to play beside the bag that the images are from."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError

from fastgan_core.errors import FastganError
from fastgan_core.media.bags import Moment, typestore
from fastgan_core.media.encodings import image_fields
from fastgan_core.tracked import Tracked, TrackedObject

MASK_TOPIC, OBJECTS_TOPIC = "/fastgan_tracker/mask", "/fastgan_tracker/objects"
STORAGES = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}

# As the node publishes; `ros2 bag play` offers what is written here.
_FOREVER = QosTime(sec=9223372036, nsec=854775807)
_QOS = Qos(
    history=QosHistory.KEEP_LAST,
    depth=3,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.VOLATILE,
    deadline=_FOREVER,
    lifespan=_FOREVER,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_FOREVER,
    avoid_ros_namespace_conventions=False,
)


class NewBag:
    """A rosbag2 of masks and objects, as the node publishes them; written from the first frame on.

    Args:
        path: a folder that does not exist yet. storage: a key of ``STORAGES``.

    Raises:
        FastganError: the folder is there already, or cannot be written.
    """

    def __init__(self, path: str | Path, storage: str):
        self.path = Path(path)
        if self.path.exists():
            raise FastganError(f"{path}: exists already and is not overwritten; choose another place, or remove it")
        self._types, self._storage = typestore(), STORAGES[storage]
        self._writer: Writer | None = None

    def write(self, moment: Moment, tracked: Tracked) -> None:
        """Append what was found in the image of ``moment``: mono8, or mono16 where ids do not fit."""
        encoding = "mono8" if tracked.labels.dtype == np.uint8 else "mono16"
        kinds = self._types.types
        mask = kinds["sensor_msgs/msg/Image"](header=moment.header, **image_fields(tracked.labels, encoding))
        objects = [self._object(found) for found in tracked.objects]
        report = kinds["fastgan_interfaces/msg/TrackedObjects"](header=moment.header, objects=objects)
        with self._in_words():
            if self._writer is None:
                self._start()
            for connection, message in zip(self._writer.connections, (mask, report), strict=True):
                data = self._types.serialize_cdr(message, connection.msgtype)
                self._writer.write(connection, moment.time, data)

    def close(self) -> None:
        """Make it a bag that can be read; nothing is there if nothing was written."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with self._in_words():
                writer.close()

    def _start(self) -> None:
        # Version 8 is the last whose QoS profiles Humble can read.
        self._writer = Writer(self.path, version=8, storage_plugin=self._storage)
        if self._storage == StoragePlugin.MCAP:  # by mcap itself, so that every player reads it
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        for topic, kind in (
            (MASK_TOPIC, "sensor_msgs/msg/Image"),
            (OBJECTS_TOPIC, "fastgan_interfaces/msg/TrackedObjects"),
        ):
            self._writer.add_connection(topic, kind, typestore=self._types, offered_qos_profiles=[_QOS])

    def _object(self, found: TrackedObject) -> Any:
        kind, roi = (
            self._types.types[name]
            for name in ("fastgan_interfaces/msg/TrackedObject", "sensor_msgs/msg/RegionOfInterest")
        )
        x, y, width, height = found.box
        return kind(
            id=found.id,
            state=getattr(kind, f"STATE_{found.state.upper()}"),
            score=found.score,
            area=found.area,
            box=roi(x_offset=x, y_offset=y, height=height, width=width, do_rectify=False),
        )

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (WriterError, sqlite3.Error) as error:
            raise FastganError(f"{self.path}: cannot be written ({error}); is the disk full?") from None
