"""The few words inside charts, in both languages, and the sentence for those who hear a chart."""

from __future__ import annotations

from collections.abc import Mapping

from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import ScoresError

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "emotion": "Emotion",
        "score": "Score",
        "percent": "Per cent",
        "sample": "Sample",
        "not produced": "not produced",
        "strongest": "Strongest of the nine emotions: {found}.",
        "all zero": "All nine emotions score 0.",
        "between": ", ",
        "samples": "Radar chart of the nine emotions. {found}",
        "sample has": "{name}: {found}",
        "between samples": "; ",
        "end": ".",
        "days": "Days",
        "clips": "Clips",
        "quality": "Quality",
        "interval": "Interval (95 %)",
        "no interval": "too few clips",
        "no time": "No clips in this time.",
        "mix": "Mix of emotions from {first} to {last}, {clips} clips. Strongest: {found}.",
        "over time": "{what} over time. {found}.",
        "line": "{name}: {start} on {first}, {end} on {last}",
        "course": "The nine emotions from {first} to {last}. Strongest: {found}.",
        "confidence": "Confidence",
        "share right": "Share right",
        "kept": "Share kept",
        "uncertain below": "Uncertain below",
        "reliability": "Confidence against the share that is right. {found}.",
        "reliability of": "{name}: where it is {low} sure, {low_right} are right; where {high}, {high_right}",
        "coverage": "Share of clips that is kept against the share of these that is right. {found}.",
        "coverage of": "{name}: of all clips {right} are right",
        "coverage at": "uncertain below {threshold}: {kept} kept, {right} of these right",
    },
    "zh": {
        "emotion": "情绪",
        "score": "分数",
        "percent": "百分比",
        "sample": "样本",
        "not produced": "无法给出",
        "strongest": "九种情绪中得分最高的是：{found}。",
        "all zero": "九种情绪得分均为 0。",
        "between": "、",
        "samples": "九种情绪的雷达图。{found}",
        "sample has": "{name}：{found}",
        "between samples": "；",
        "end": "。",
        "days": "日期",
        "clips": "片段数",
        "quality": "质量",
        "interval": "95% 区间",
        "no interval": "片段太少",
        "no time": "这段时间没有片段。",
        "mix": "{first} 至 {last} 的情绪构成，共 {clips} 个片段。最强的是：{found}。",
        "over time": "{what}随时间的变化。{found}。",
        "line": "{name}：{first} 为 {start}，{last} 为 {end}",
        "course": "{first} 至 {last} 的九种情绪。最强的是：{found}。",
        "confidence": "置信度",
        "share right": "正确比例",
        "kept": "保留比例",
        "uncertain below": "低于此值视为不确定",
        "reliability": "置信度与正确比例的对照。{found}。",
        "reliability of": "{name}：置信度约 {low} 时正确 {low_right}，约 {high} 时正确 {high_right}",
        "coverage": "保留的片段比例与其中正确比例的对照。{found}。",
        "coverage of": "{name}：全部片段中 {right} 正确",
        "coverage at": "低于 {threshold} 视为不确定：保留 {kept}，其中 {right} 正确",
    },
}
TOP = 3  # emotions that a sentence names; with more of them nobody listens


def words(lang: str) -> Mapping[str, str]:
    """The words of `lang`. Raises `ValueError` for a language that no chart speaks."""
    try:
        return _WORDS[lang]
    except KeyError:
        raise ValueError(f"Charts speak {' and '.join(_WORDS)}, not {lang!r}.") from None


def emotion_label(name: str, lang: str) -> str:
    """The emotion's name in `lang`."""
    words(lang)
    return BY_NAME[name].zh if lang == "zh" else BY_NAME[name].en


def nine(scores: Mapping[str, float]) -> list[float]:
    """The scores in `EMOTIONS` order, as given: an absent name is 0 and nothing is renormalised.

    Raises `ScoresError` for a name that is not one of the nine or a value that is not in [0, 1].
    """
    strangers = [str(name) for name in scores if name not in BY_NAME]
    if strangers:
        raise ScoresError(
            "{found} is not one of the nine emotions ({allowed}).",
            found=", ".join(strangers),
            allowed=", ".join(EMOTIONS),
        )
    values = [float(scores.get(name, 0.0)) for name in EMOTIONS]
    for name, value in zip(EMOTIONS, values, strict=True):
        if not 0 <= value <= 1:  # false for NaN too
            raise ScoresError("The score of {name} is {value}; it must lie between 0 and 1.", name=name, value=value)
    return values


def strongest(scores: Mapping[str, float], lang: str) -> str:
    """The three strongest emotions with their scores, leaving out those that score 0."""
    ranked = sorted(zip(EMOTIONS, nine(scores), strict=True), key=lambda pair: -pair[1])  # stable: ties keep the order
    named = [f"{emotion_label(name, lang)} {value:.3f}" for name, value in ranked[:TOP] if value > 0]
    return words(lang)["between"].join(named)


def alt_text(scores: Mapping[str, float], lang: str = "en") -> str:
    """One sentence with the three strongest emotions and their scores, for a screen reader."""
    found = strongest(scores, lang)
    return words(lang)["strongest"].format(found=found) if found else words(lang)["all zero"]


def samples_alt_text(samples: Mapping[str, Mapping[str, float]], lang: str = "en") -> str:
    """The same for several samples: what each of them is strongest in."""
    say = words(lang)
    each = [
        say["sample has"].format(name=name, found=strongest(scores, lang) or say["all zero"].rstrip(say["end"]))
        for name, scores in samples.items()
    ]
    return say["samples"].format(found=say["between samples"].join(each) + say["end"])
