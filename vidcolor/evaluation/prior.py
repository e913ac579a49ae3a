"""The colours of the training photographs: their mean, and how often each colour is seen."""

from __future__ import annotations

import numpy as np

# Mean a* and b* in Lab units over the 24,000 photographs of the training set, each squashed to 144×144 by area; every
# picture weighs the same. Standard errors are 0.05 and 0.07. Leaving the answer at this colour is what a network would
# learn that saw nothing.
MEAN_AB = (1.294, 6.838)

# Share of the pixels of the same pictures in 10⁻⁷, by colour rounded to 10 Lab units: a* = −80…90 down, b* = −110…90 across.
_FIRST_A, _FIRST_B, _STEP = -80, -110, 10
_SHARES = """
       0       0       0       0       0       0       0       0       0       0       0       0       0       0       0       0       3       1       1       0       0
       0       0       0       0       0       0       0       0       0       0       0       0       0       1      10      91      60      60     137      32       0
       0       0       0       0       0       0       0       0       0       0       0       3      18      87     174     292     247     258      80       8       0
       0       0       0       0       0       0       0       0       0      39     135     256     364     459     638    1035    1752     570     158      24      14
       0       0       0       0       0       0       0       0       5     329     771    1253    1496    1721    3739    6078    4835    1964     436      98      21
       0       0       0       0       0       0       0       1     591    2884    4479    4965    5937   12116   27766   30232   16433    4800    1129     218      42
       0       0       0       0       0       0       0     916    4715   12042   20200   24082   39686   91085  120911   70781   22280    4690    1487     592     371
       0       0       0       0       0       0     882    8051   33780   77794  136959  249350  333124  245955  133825   45239   13539    4512    2312    1045     346
       0       0       0       0       0     311    9619   48161  110268  216418  703058 2696255 1292048  419107  127840   39191   13516    5412    2743    1344     109
       0       0       0       0      81    3227   17412   33870   40030   54429   91712  267296  488247  377466  163556   53440   17616    6747    2640    1096       0
       0       0       0       0    1201    4756    9685    9177    7391    6517   13194   38107  110538  158186  107890   50441   19482    6518    2167     366       0
       0       0       0     309    1518    3492    3069    1857    1516    2049    3484    9398   24641   38212   35457   25509   13199    4982    1240      98       0
       0       0      56     422    1003     835     449     548     465     714    1528    3559    7502   13718   16232   11544    7082    2861     912       3       0
       0       0     175     425     372     177      78     139     229     427     730    1770    2934    5757    9004    8864    4380    1626     613       0       0
       0      27     110      92      47      26      31      70     167     246     415     607    1142    2320    4063    5877    4673    1169     243       0       0
       0      28      19      10      13       9      11      26      80     125     196     231     314     488    1057    1870    2364    1595     105       0       0
      11      13       3       8       5       3      11      23      43      35      45      26      38      53      76     137     203     328      82       0       0
       0       0       0       0       0       1       6       4       1       6      32       0       0       0       0       0       0       0       0       0       0
"""
_SMOOTHING = 5.0  # Lab units (Zhang 2016, section 2.2)
_RAREST = 1e-6  # share below which a colour's weight no longer grows: fewer pixels than that were seen


def _weights() -> np.ndarray:
    shares = np.array([line.split() for line in _SHARES.strip().splitlines()], np.float64) / 1e7
    shares = np.pad(shares, 3)
    kernel = np.exp(-((_STEP * np.arange(-2, 3)) ** 2) / (2 * _SMOOTHING**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        shares = np.apply_along_axis(np.convolve, axis, shares, kernel, mode="same")
    return (1 / np.maximum(shares, _RAREST)).astype(np.float32)


_WEIGHTS = _weights()


def rarity_weights(lab: np.ndarray) -> np.ndarray:
    """Weight of each pixel of a Lab array (..., 3): one over the smoothed share of its colour. Shape (...), float32.

    Zhang 2016, equation 4 with λ = 0, with the shares of our training photographs where the paper has ImageNet's.
    """
    i, j = (np.rint((lab[..., 1 + k] - first) / _STEP).astype(int) + 3 for k, first in enumerate((_FIRST_A, _FIRST_B)))
    return _WEIGHTS[np.clip(i, 0, _WEIGHTS.shape[0] - 1), np.clip(j, 0, _WEIGHTS.shape[1] - 1)]
