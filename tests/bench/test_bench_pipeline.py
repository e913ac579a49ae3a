"""The whole command beside a plain transcode."""

import json
import subprocess

from vidcolor.bench import pipeline
from vidcolor.config import RunOptions
from vidcolor.media.ffmpeg import find_ffmpeg


def test_the_transcode_does_not_turn_a_picture_that_players_turn(samples, tmp_path, monkeypatch):
    """That would be work which colouring does not do: the film goes on with its rotation as a tag."""
    clip, widths, measured = tmp_path / "turned.mp4", [], pipeline._measure
    turned = ["-display_rotation", "90", "-i", samples / "film.mp4", "-frames:v", "3", "-an", "-c", "copy"]
    subprocess.run([find_ffmpeg(), "-v", "error", *turned, clip], check=True)

    def beside(command):
        if command[0] != find_ffmpeg():
            return pipeline.Measured(1, 1, 1), json.dumps({"films": [{"frames": 3}]})
        result = measured(command)
        probe = ["ffprobe", "-v", "error", "-show_entries", "stream=width", "-of", "csv=p=0", command[-1]]
        widths.append(int(subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip(",\n")))
        return result

    monkeypatch.setattr(pipeline, "_measure", beside)
    pipeline.bench_pipeline(clip, RunOptions(), 1)
    assert widths == [640] * 2
