"""Names of people who do not exist, each with a mark that shows wherever a name shows."""

from __future__ import annotations

MARK = "(demo)"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_GIVEN = _words(
    "Ana Ben Chloe Dana Eli Fay Gus Hana Ivo Jun Kai Lena Mia Noah Ola Pia Quinn Rosa Sam Tara Uma Vera Wes Xenia"
    " Yara Zoe"
)
_FAMILY = _words(
    "Abara Berg Costa Duarte Eriksen Fischer Garcia Hale Ito Jansen Khan Lopez Meyer Novak Okoye Park Rossi Sato Tran"
    " Vega Weber"
)  # as many as have no factor in common with the given names, so that walking both lists pairs all with all
_CHINESE = _words("王芳 李娜 张伟 刘洋 陈静 杨帆 赵磊 黄丽 周杰 吴敏 徐强 孙悦 马超 朱琳 胡军 郭靖 林涛 何雪 高峰 罗兰")
_TEAMS = _words("North South East West Harbour River Hill Lake Forest Garden")


def agent_name(number: int) -> str:
    """The name of the agent with this number from 0: every eighth is Chinese, and none comes twice."""
    if number % 8 == 7:
        turn, place = divmod(number // 8, len(_CHINESE))
        return _marked(_CHINESE[place], turn)
    turn, place = divmod(number - number // 8, len(_GIVEN) * len(_FAMILY))
    return _marked(f"{_GIVEN[place % len(_GIVEN)]} {_FAMILY[place % len(_FAMILY)]}", turn)


def team_name(number: int) -> str:
    """The name of the team with this number from 0."""
    turn, place = divmod(number, len(_TEAMS))
    return _marked(_TEAMS[place], turn)


def _marked(name: str, turn: int) -> str:
    return f"{name} {turn + 1} {MARK}" if turn else f"{name} {MARK}"
