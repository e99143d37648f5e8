"""Common style of the figures, and functions that keep their data short."""

from __future__ import annotations

import html
import math
import textwrap
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INK, PALE, GRID = "#2b2b2b", "#6e6e6e", "#e4e4e4"
# Colours of Okabe and Ito, which people with colour blindness can tell apart.
FAST, SLOW, CHANCE = "#0072b2", "#d55e00", "#8c8c8c"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_SHADES = {
    FAST: "rgba(0,114,178,0.18)",
    SLOW: "rgba(213,94,0,0.18)",
    CHANCE: "rgba(140,140,140,0.22)",
}
# Buttons that are removed since they would cover the title; saving and resetting stay.
_BUTTONS = ["autoScale", "lasso", "pan", "select", "zoom", "zoomIn", "zoomOut"]
_WIDE = 100  # ratio of largest to smallest value above which an axis is logarithmic
_FEW = 10  # largest number on an axis with a tick at every number
_DIGITS = 4  # significant digits of values in a figure


def styled_figure(
    traces: Sequence[Any],
    *,
    title: str,
    x: str,
    y: str,
    note: str = "",
    **layout: Any,
) -> go.Figure:
    """Return a figure in the common style, as wide as its page.

    Args:
        traces: Plotly traces to draw.
        title: Title of the figure, in a few words.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        note: One line below the title; "" for none.
        layout: Further fields of the plotly layout, which override the common ones.
    """
    below = f"<br><span style='font-size:12px;color:{PALE}'>{note}</span>" if note else ""
    axis = {
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        "title": {"standoff": 8},
    }
    made = go.Figure(
        traces,
        {
            # Plotly's own template would add 7 kB to every figure.
            "template": "none",
            "title": {
                "text": f"{title}{below}",
                "x": 0.01,
                "xanchor": "left",
                "yref": "container",
                "y": 1,
                "yanchor": "top",
                "pad": {"t": 20},
                "font": {"size": 16},
            },
            "font": {"family": _FONT, "size": 12, "color": INK},
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "margin": {"l": 56, "r": 16, "t": 74 if note else 54, "b": 48},
            "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
            "modebar": {"remove": _BUTTONS},
            "xaxis": axis,
            "yaxis": axis,
        },
    )
    made.update_xaxes(title_text=x)
    made.update_yaxes(title_text=y)
    return made.update_layout(layout)


def empty_figure(title: str, why: str) -> go.Figure:
    """Return a figure without data that shows the reason for it."""
    hidden = {"visible": False}
    return styled_figure([], title=title, x="", y="", xaxis=hidden, yaxis=hidden).add_annotation(
        text="<br>".join(textwrap.wrap(escaped(why, longest=400), 44)),
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.5,
        font={"size": 13, "color": PALE},
    )


def value_axis(values: Iterable[float | None]) -> dict[str, Any]:
    """Return layout fields of an axis: logarithmic if values are positive and far apart."""
    there = [value for value in values if value is not None]
    if there and min(there) > 0 and max(there) > _WIDE * min(there):
        return {"type": "log", "dtick": 1}
    return {"type": "linear"}


def number_axis(most: int) -> dict[str, Any]:
    """Return layout fields of an axis of whole numbers from 0 to `most`, without other ticks."""
    return {"tickformat": "d"} | ({"dtick": 1} if most <= _FEW else {})


def escaped(text: object, *, longest: int = 40) -> str:
    """Return a text, shortened and escaped, since Plotly renders texts as HTML."""
    words = " ".join(str(text).split())
    if len(words) > longest:
        words = f"{words[: longest - 1]}…"
    return html.escape(words, quote=False)


def distinct_labels(names: Iterable[str]) -> list[str]:
    """Return shortened and escaped names; a number tells equal ones apart."""
    found: list[str] = []
    for name in names:
        label = escaped(name)
        found.append(label if label not in found else f"{label} ({len(found) + 1})")
    return found


def rounded(values: Iterable[float | None]) -> list[float | None]:
    """Return numbers rounded to four significant digits; None for those that are not finite."""
    return [
        None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
        for value in values
    ]


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most `most` evenly spaced numbers from 0 to `count` - 1, with both ends."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def band(
    x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str
) -> go.Scatter:
    """Return a trace of the area between two lines."""
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=rounded([*low, *reversed(high)]),
        fill="toself",
        fillcolor=_SHADES[colour],
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )


def line(
    x: Sequence[float], y: Sequence[float], *, name: str, colour: str, dash: str = "solid"
) -> go.Scatter:
    """Return a trace of a line, with markers if it has few points."""
    return go.Scatter(
        x=list(x),
        y=rounded(y),
        name=name,
        mode="lines+markers" if len(x) <= 30 else "lines",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"size": 5},
    )
