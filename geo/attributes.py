"""What cities call the attributes of their grids and sensors, and what they are called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Our name first; the others are compared without case, blanks, underscores and what stands in brackets.
GRID: Final[Mapping[str, tuple[str, ...]]] = {
    "code": (
        *("code", "grid", "gridcode", "gridid", "bgcode", "bgid", "wgbm", "wgdm", "wgbh"),
        *("网格编码", "网格代码", "网格编号", "网格码", "单元网格编码", "单元网格代码", "网格标识码", "编码"),
    ),
    "name": ("name", "gridname", "bgname", "wgmc", "mc", "网格名称", "单元网格名称", "名称", "网格名"),
    "officer": (
        *("officer", "wgy", "zrr", "fzr", "wgz"),
        *("责任人", "网格员", "网格员姓名", "责任人姓名", "网格长", "负责人", "专职网格员"),
    ),
    "department_name": (
        *("departmentname", "deptname", "zrbm", "zrdw"),
        *("责任部门", "责任单位", "主管部门", "部门", "权属单位", "处置部门"),
    ),
    "department": ("department", "dept", "departmentcode", "deptcode", "bmbm", "部门编码", "责任部门编码", "部门代码"),
    "street": ("street", "streetcode", "jdbm", "街道编码", "街道代码"),
    "street_name": ("streetname", "jdmc", "xzmc", "街道", "街道名称", "乡镇", "乡镇街道", "所属街道", "镇街"),
    "community_name": ("communityname", "sqmc", "cmc", "社区", "社区名称", "所属社区", "村", "村社区", "村居"),
    "community": ("community", "communitycode", "sqbm", "sqdm", "社区编码", "社区代码"),
    "size_m": ("sizem",),
    "county_name": ("countyname", "county", "qxmc", "区县", "区县名称", "县区", "区", "县"),
}
SENSOR: Final[Mapping[str, tuple[str, ...]]] = {
    "sensor": (
        *("sensor", "sensorid", "deviceid", "device", "sbbh", "sbbm"),
        *("设备编号", "设备编码", "传感器编号", "传感器编码", "设备标识", "监测点编号", "编号"),
    ),
    "kind": ("kind", "type", "devicetype", "sblx", "类型", "设备类型", "监测类型", "监测项", "传感器类型", "监测指标"),
    "lon": ("lon", "lng", "longitude", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "crs": ("crs", "坐标系"),
    "department": ("department", "dept", "责任部门", "责任单位", "权属单位", "主管部门", "部门"),
    "site": ("site", "name", "address", "wz", "位置", "安装位置", "地址", "安装地址", "名称", "点位名称", "监测点名称"),
    "since": ("since", "installed", "安装日期", "启用日期", "安装时间"),
    "gateway": ("gateway", "gatewayid", "网关", "网关编号"),
}
ROAD: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "roadname", "dlmc", "名称", "道路名称", "路名"),
    "class": ("class", "fclass", "highway", "dldj", "等级", "道路等级", "类别"),
    "width_m": ("widthm", "width", "kd", "宽度", "路宽"),
    "muck": ("muck", "渣土", "渣土准行", "准行路线"),
}
_YES: Final = ("1", "true", "yes", "y", "是", "t")


def table(kind: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Our name by each name that is known for it, also cut to the 10 bytes of a .dbf in UTF-8 where that is clear."""
    found: dict[str, str] = {}
    cut: dict[str, set[str]] = {}
    for ours, names in kind.items():
        for name in names:
            found.setdefault(_plain(name), ours)
            short = name.encode()[:10].decode("utf-8", "ignore")
            cut.setdefault(short, set()).add(ours)
    return {short: ours.pop() for short, ours in cut.items() if len(ours) == 1} | found


def _plain(name: str) -> str:
    for opening, closing in ("()", "（）"):
        head, bracket, rest = name.partition(opening)
        name = head + rest.partition(closing)[2] if bracket else name
    return name.strip().lower().replace("_", "").replace(" ", "").replace("-", "")


def renamed(properties: Mapping[str, Any], names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Properties under our names, and which of theirs nobody knows; the first that has a value counts."""
    out: dict[str, Any] = {}
    unknown = []
    for name, value in properties.items():
        ours = names.get(_plain(name))
        if ours is None:
            unknown.append(name)
        elif out.get(ours) in (None, ""):
            out[ours] = value
    return out, unknown


def text(value: Any) -> str:
    """An attribute as text: no blanks around it, a whole number without a point, "" for none."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def yes(value: Any) -> bool:
    """Whether an attribute says yes."""
    return value is True or text(value).lower() in _YES
