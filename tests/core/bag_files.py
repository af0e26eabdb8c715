"""Bags of the drawn scene, as a recorder would write them."""

from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from fastgan_core.media.bags import typestore

START, PERIOD, DELAY = 1_700_000_000_000_000_007, 66_666_667, 5_000_000  # nanoseconds
RAW, COMPRESSED, TEXT = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "std_msgs/msg/String"
STORE = typestore()
TYPES = STORE.types


def header(index: int):
    """Stamped a little before it was recorded."""
    stamp = START + index * PERIOD
    return TYPES["std_msgs/msg/Header"](
        stamp=TYPES["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="camera"
    )


def raw(index: int, rgb: np.ndarray):
    """A bgr8 image whose rows are padded by four bytes."""
    height, width = rgb.shape[:2]
    rows = np.zeros((height, width * 3 + 4), np.uint8)
    rows[:, : width * 3] = rgb[..., ::-1].reshape(height, -1)
    return TYPES[RAW](
        header=header(index),
        height=height,
        width=width,
        encoding="bgr8",
        is_bigendian=False,
        step=rows.shape[1],
        data=rows.reshape(-1),
    )


def compressed(index: int, rgb: np.ndarray):
    data = cv2.imencode(".jpg", rgb[..., ::-1])[1].reshape(-1)
    return TYPES[COMPRESSED](header=header(index), format="rgb8; jpeg compressed bgr8", data=data)


def write_bag(path: Path, storage: str, topics: dict[str, list], version: int = 9, packed: str = "none") -> Path:
    """A bag with these messages by topic; message i was recorded DELAY after its stamp. Bytes are written as they are
    (an image's), a string as std_msgs/String.
    """
    writer = Writer(path, version=version, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[packed.upper()], CompressionFormat.ZSTD)
    with writer:
        for topic, messages in topics.items():
            kinds = [getattr(message, "__msgtype__", None) for message in messages]
            kind = next((kind for kind in kinds if kind), TEXT if topic == "/chatter" else RAW)
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for i, message in enumerate(messages):
                data = message if isinstance(message, bytes) else STORE.serialize_cdr(message, kind)
                writer.write(connection, START + i * PERIOD + DELAY, data)
    return path


def read_bag(path: Path) -> dict[str, list]:
    """``(recorded, message)`` by topic, read with the definitions of the types that were written."""
    found: dict[str, list] = {}
    with Reader(path) as reader:
        for connection, time, data in reader.messages():
            found.setdefault(connection.topic, []).append((time, STORE.deserialize_cdr(data, connection.msgtype)))
    return found
