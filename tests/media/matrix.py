"""Small films of many kinds: a name that ends with the file's suffix, and ffmpeg's arguments for it."""

from __future__ import annotations

from pathlib import Path

from witness import ffmpeg

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate={rate}:duration={seconds}")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration={seconds}")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
AV1 = ("-c:v", "libsvtav1", "-preset", "12")
DNX = ("-vf", "scale=256:144", "-c:v", "dnxhd", "-profile:v")  # its least size
VFR = (
    "-vf",
    "setpts='if(eq(mod(N,3),0),N*0.05,N*0.05+0.013)/TB'",
    "-enc_time_base",
    "1/90000",
    "-fps_mode",
    "passthrough",
)


def _film(*options: str, rate: str = "25", seconds: str = "1.4", sound: bool = False) -> tuple[str, ...]:
    inputs = PICTURE + (SOUND if sound else ())
    return tuple(word.format(rate=rate, seconds=seconds) for word in inputs) + options


def _raw(pix_fmt: str, codec: str = "rawvideo") -> tuple[str, ...]:
    return _film("-c:v", codec, "-pix_fmt", pix_fmt, seconds="0.2")


FILMS: dict[str, tuple[str, ...]] = {
    "bframes.mp4": _film(*X264, "-bf", "3", "-g", "12", "-x264-params", "b-adapt=0"),
    "open_gop.mp4": _film(*X264, "-bf", "2", "-g", "10", "-x264-params", "open-gop=1:b-adapt=0"),
    "2997_aac.mp4": _film(*X264, "-bf", "2", "-c:a", "aac", rate="30000/1001", sound=True),
    "23976.mov": _film(*X264, "-c:a", "pcm_s16le", rate="24000/1001", sound=True),
    "vfr.mp4": _film(*VFR, *X264, "-bf", "2", "-x264-params", "b-adapt=0"),
    "vfr.mkv": _film(*VFR, *X264, "-bf", "0"),
    "late_start.mp4": _film(*X264, "-bf", "2", "-c:a", "aac", "-output_ts_offset", "3.217", sound=True),
    "late_start.mkv": _film(*X264, "-c:a", "flac", "-output_ts_offset", "61.003", sound=True),
    "one_frame.mp4": _film(*X264, seconds="0.04"),
    "one_per_second.mp4": _film(*X264, rate="1", seconds="4"),
    "120.mkv": _film(*X264, rate="120", seconds="0.3"),
    "hevc10.mkv": _film(
        "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le"
    ),
    "prores.mov": _film("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", seconds="0.3"),
    "prores_444.mov": _film("-c:v", "prores_ks", "-pix_fmt", "yuv444p10le", seconds="0.2"),
    "vp9_opus.webm": _film(
        "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", sound=True
    ),
    "mpeg4_mp3.avi": _film("-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame", sound=True),
    "mjpeg_pcm.avi": _film("-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-c:a", "pcm_s16le", rate="30000/1001", sound=True),
    "mpeg2_tff.ts": _film(
        "-vf", "fps=50,tinterlace=interleave_top,setfield=tff", "-c:v", "mpeg2video", "-flags", "+ilme+ildct",
        "-bf", "2", "-g", "9", "-c:a", "mp2", sound=True,
    ),
    "h264_aac.ts": _film(*X264, "-bf", "2", "-g", "10", "-c:a", "aac", sound=True),
    "mpeg1_mp2.mpg": _film("-c:v", "mpeg1video", "-bf", "2", "-c:a", "mp2", sound=True),
    "mpeg2_pcm.mxf": _film("-c:v", "mpeg2video", "-c:a", "pcm_s16le", sound=True),
    "flv1_mp3.flv": _film("-c:v", "flv", "-c:a", "libmp3lame", "-ar", "44100", sound=True),
    "wmv2.wmv": _film("-c:v", "wmv2", "-c:a", "wmav2", sound=True),
    "ffv1_422p10.nut": _film("-c:v", "ffv1", "-pix_fmt", "yuv422p10le", seconds="0.3"),
    "palette.gif": _film("-c:v", "gif", seconds="0.4"),
    "picture.y4m": _film("-pix_fmt", "yuv422p", seconds="0.3"),
    "odd.mkv": _film("-vf", "scale=35:27", "-c:v", "ffv1", "-pix_fmt", "yuv420p", seconds="0.3"),
    "tiny.mkv": _film("-vf", "scale=2:2", "-c:v", "ffv1", "-pix_fmt", "yuv420p", seconds="0.2"),
    "single_pixel.mkv": _film("-vf", "scale=1:1", "-c:v", "ffv1", "-pix_fmt", "gray", seconds="0.2"),
    "few_pixels.mkv": _film("-vf", "scale=3:5", "-c:v", "png", "-pix_fmt", "gray", seconds="0.2"),
    "wide_8192.mkv": _film("-vf", "scale=8192:32", *X264, seconds="0.2"),
    "high_8192.mp4": _film("-vf", "scale=32:8192", *X264, seconds="0.2"),
    "nine_to_one.mp4": _film("-vf", "scale=288:32", *X264, seconds="0.4"),
    "50.mp4": _film("-c:v", "mpeg4", "-bf", "2", rate="50", seconds="0.6"),
    "drop_frame.mov": _film(*X264, "-timecode", "00:00:59;20", "-c:a", "pcm_s16le", rate="30000/1001", sound=True),
    "drop_frame.mxf": _film(
        "-c:v", "mpeg2video", "-timecode", "01:00:00;02", "-c:a", "pcm_s16le", rate="30000/1001", sound=True
    ),
    "negative_start.mp4": _film(*X264, "-bf", "0", "-output_ts_offset", "-0.2", "-avoid_negative_ts", "disabled"),
    "fragmented.mp4": _film(*X264, "-bf", "2", "-g", "10", "-movflags", "frag_keyframe+empty_moov", "-c:a", "aac", sound=True),
    "no_duration.mkv": _film(*X264, "-bf", "2", "-f", "matroska", "-live", "1", "-c:a", "flac", sound=True),
    "no_duration.webm": _film("-c:v", "libvpx", "-deadline", "realtime", "-f", "webm", "-live", "1"),
    "no_times.h264": _film(*X264, "-bf", "2"),
    "no_times.m2v": _film("-c:v", "mpeg2video", "-bf", "2"),
    "no_times.ivf": _film(*VP9),
    "av1.mp4": _film(*AV1, "-c:a", "aac", seconds="0.6", sound=True),
    "av1_10.mkv": _film(*AV1, "-pix_fmt", "yuv420p10le", seconds="0.4"),
    "dnxhr_hq.mov": _film(*DNX, "dnxhr_hq", "-pix_fmt", "yuv422p", seconds="0.3"),
    "dnxhr_hqx.mxf": _film(*DNX, "dnxhr_hqx", "-pix_fmt", "yuv422p10le", seconds="0.3"),
    "dnxhr_444.mov": _film(*DNX, "dnxhr_444", "-pix_fmt", "yuv444p10le", seconds="0.3"),
    "hevc12.mkv": _film(*X265, "-pix_fmt", "yuv422p12le", seconds="0.3"),
    "h264_422p10.mov": _film(*X264[:4], "-pix_fmt", "yuv422p10le", seconds="0.3"),
    "prores_alpha.mov": _film("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le", seconds="0.2"),
    "vp9_alpha.webm": _film(*VP9, "-pix_fmt", "yuva420p", seconds="0.3"),
    "animation_alpha.mov": _film("-c:v", "qtrle", "-pix_fmt", "argb", seconds="0.2"),
    "palette.avi": _film("-c:v", "rawvideo", "-pix_fmt", "pal8", seconds="0.2"),
    "palette.mkv": _film("-c:v", "png", "-pix_fmt", "pal8", seconds="0.2"),
    "v210.mov": _film("-c:v", "v210", "-pix_fmt", "yuv422p10le", seconds="0.2"),
    "raw.avi": _film("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", seconds="0.4", sound=True),
    "raw.mkv": _film("-c:v", "rawvideo", "-pix_fmt", "uyvy422", seconds="0.2"),
    "h264_bff.mkv": _film(
        "-vf", "fps=50,tinterlace=interleave_bottom,setfield=bff", *X264, "-flags", "+ilme+ildct", "-x264-params", "bff=1",
    ),
    "prores_tff.mov": _film(
        "-vf", "fps=50,tinterlace=interleave_top,setfield=tff", "-c:v", "prores_ks", "-flags", "+ildct",
        "-pix_fmt", "yuv422p10le", seconds="0.4",
    ),
    "pal.dv": _film("-vf", "scale=720:576", "-c:v", "dvvideo", "-pix_fmt", "yuv420p", seconds="0.2"),
    "sar.mp4": _film("-vf", "setsar=16/11", *X264, seconds="0.4"),
}  # fmt: skip

# Pixel formats whose luma plane must come through bit for bit.
PLANAR = [
    "gray",
    "gray10le",
    "gray16le",
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuv440p",
    "yuv411p",
    "yuv410p",
    "yuv420p9le",
    "yuv420p10le",
    "yuv422p12le",
    "yuv444p14le",
    "yuv420p16le",
    "yuva420p",
]
PACKED = {"nv12": "nut", "nv21": "nut", "yuyv422": "nut", "uyvy422": "nut", "gray16be": "nut", "ya8": "mkv"}
RGB = {"bgr24": "avi", "rgb24": "nut", "bgra": "nut", "gbrp": "mkv", "rgb48le": "mkv", "gbrp10le": "mkv"}
MATRIX = FILMS | {f"{name}.mkv": _raw(name, "ffv1") for name in PLANAR}
MATRIX |= {
    f"{name}.{suffix}": _raw(name, "ffv1" if suffix == "mkv" else "rawvideo")
    for name, suffix in {**PACKED, **RGB}.items()
}


def make(name: str, folder: Path) -> Path:
    """Make the film `name` of the matrix in `folder`."""
    path = folder / name
    ffmpeg(*MATRIX[name], path)
    return path
