"""`lite`: the network for CPUs. The torch module is in `network.py`; this file loads without torch."""

from vidcolor.models.base import ModelSpec

SPEC = ModelSpec(
    name="lite",
    summary="EfficientNet-Lite0 encoder on a picture enlarged by 11/9, light decoder with skips to stride 2 and a global context",
    paper="Tan & Le 2019 (EfficientNet), lite variant; decoder in the manner of U-Net (Ronneberger 2015)",
    licence="Apache-2.0",
    stride=16,
    output_stride=2,
    parameters=3_844_066,
    gflop_144=0.99,
    default_res=144,
    network="vidcolor.models.lite.network:Lite",
)
