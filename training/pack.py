"""Pack footage into a few files for training: folders of stills, or a DAVIS folder.

    python training/pack.py OUT --stills data/static/ecssd data/duts_tr --side 288
    python training/pack.py OUT --davis data/davis2016 --split train

Each folder of stills (Images/, Masks/) becomes a set of its own name. Files stay under 16 MB. What a training run read
of them, with checksums, stands in the run's about.json.
"""

import argparse
import random
import sys
from pathlib import Path

from fastgan_core.data.folders import davis_sequences, still_pairs
from fastgan_core.data.packs import encode, write_pack
from fastgan_core.errors import FastganError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--stills", type=Path, nargs="*", default=[], help="folders with Images/ and Masks/")
    parser.add_argument("--davis", type=Path, help="a DAVIS folder, or another in its layout")
    parser.add_argument("--split", default="train", help="file in its ImageSets")
    parser.add_argument("--objects", action="store_true", help="keep the objects of a video apart (DAVIS 2017)")
    parser.add_argument("--every", type=int, default=1, help="of a video's frames, every so many")
    parser.add_argument("--most", type=int, default=0, help="stills of a set, drawn at random; 0 = all")
    parser.add_argument("--side", type=int, default=288, help="shorter side, pixels")
    parser.add_argument("--quality", type=int, default=60, help="of WebP, 1 to 100")
    parser.add_argument("--name", default="", help="of the set; '' = the folder's")
    args = parser.parse_args()
    try:
        for folder in args.stills:
            pairs = still_pairs(folder)
            if 0 < args.most < len(pairs):
                pairs = sorted(random.Random(0).sample(pairs, args.most), key=lambda pair: pair.image)
            packed = (encode(*pair.load(), args.side, args.quality) for pair in pairs)
            report(args.output, args.name or folder.name, packed)
        if args.davis:
            videos = davis_sequences(args.davis, args.split, merged=not args.objects)
            packed = (
                encode(*frame.load(), args.side, args.quality, number)
                for number, video in enumerate(videos)
                for frame in video.frames[:: args.every]
            )
            report(args.output, args.name or args.davis.name, packed)
    except FastganError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def report(output: Path, name: str, packed) -> None:
    count = write_pack(output, name, packed)
    size = sum(path.stat().st_size for path in output.glob(f"{name}-???.safetensors"))
    print(f"{name}: {count} pictures, {size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
