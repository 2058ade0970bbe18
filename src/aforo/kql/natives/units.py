"""Conversions between units of measure; a unit that is not known comes to null."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from aforo.kql.natives.spec import Native, native
from aforo.kql.types import REAL, STRING

# Each family: how much of the family's base unit one unit is.

_INCH, _FOOT, _MILE = 0.0254, 0.3048, 1609.344
_PARSEC, _LIGHT_YEAR = 3.08567758128e16, 9.46073047258e15

ANGLES = {
    "Degree": 1.0, "Arcminute": 1 / 60, "Arcsecond": 1 / 3600, "Gradian": 0.9, "Radian": 180 / math.pi,
    "Centiradian": 1.8 / math.pi, "Deciradian": 18 / math.pi, "Milliradian": 0.18 / math.pi,
    "Microradian": 0.00018 / math.pi, "Nanoradian": 1.8e-7 / math.pi, "Millidegree": 1e-3, "Microdegree": 1e-6,
    "Nanodegree": 1e-9, "NatoMil": 360 / 6400, "Revolution": 360.0,
}  # fmt: skip

LENGTHS = {
    "Meter": 1.0, "Angstrom": 1e-10, "AstronomicalUnit": 1.4959787070e11, "Centimeter": 1e-2, "Chain": 20.1168,
    "DataMile": 1828.8, "Decameter": 10.0, "Decimeter": 1e-1, "DtpPica": 1 / 236.220472441, "DtpPoint": _INCH / 72,
    "Fathom": 1.8288, "Foot": _FOOT, "Hand": 0.1016, "Hectometer": 100.0, "Inch": _INCH,
    "KilolightYear": _LIGHT_YEAR * 1e3, "Kilometer": 1e3, "Kiloparsec": _PARSEC * 1e3, "LightYear": _LIGHT_YEAR,
    "MegalightYear": _LIGHT_YEAR * 1e6, "Megaparsec": _PARSEC * 1e6, "Microinch": 2.54e-8, "Micrometer": 1e-6,
    "Mil": 2.54e-5, "Mile": _MILE, "Millimeter": 1e-3, "Nanometer": 1e-9, "NauticalMile": 1852.0, "Parsec": _PARSEC,
    "PrinterPica": 1 / 237.106301584, "PrinterPoint": _INCH / 72.27, "Shackle": 27.432, "SolarRadius": 6.95510000e8,
    "Twip": _INCH / 1440, "UsSurveyFoot": 1200 / 3937, "Yard": 0.9144,
}  # fmt: skip

MASSES = {
    "Kilogram": 1.0, "Gram": 1e-3, "Centigram": 1e-5, "Decagram": 1e-2, "Decigram": 1e-4, "EarthMass": 5.9722e24,
    "Grain": 6.479891e-5, "Hectogram": 0.1, "Kilopound": 453.59237, "Kilotonne": 1e6,
    "LongHundredweight": 50.80234544, "LongTon": 1016.0469088, "Megapound": 453592.37, "Megatonne": 1e9,
    "Microgram": 1e-9, "Milligram": 1e-6, "Nanogram": 1e-12, "Ounce": 0.028349523125, "Pound": 0.45359237,
    "ShortHundredweight": 45.359237, "ShortTon": 907.18474, "Slug": 14.593902937206, "SolarMass": 1.98947e30,
    "Stone": 6.35029318, "Tonne": 1e3,
}  # fmt: skip

_BTU, _CALORIE, _EV = 1055.05585262, 4.184, 1.602176565e-19
_THERMS = {"Ec": 1.05505585262e8, "Imperial": 1.05505585257348e8, "Us": 1.054804e8}

ENERGIES = {
    "Joule": 1.0, "Kilojoule": 1e3, "Megajoule": 1e6, "Gigajoule": 1e9, "Millijoule": 1e-3, "Erg": 1e-7,
    "BritishThermalUnit": _BTU, "KilobritishThermalUnit": _BTU * 1e3, "MegabritishThermalUnit": _BTU * 1e6,
    "GigabritishThermalUnit": _BTU * 1e9, "Calorie": _CALORIE, "Kilocalorie": _CALORIE * 1e3,
    "Megacalorie": _CALORIE * 1e6, "ElectronVolt": _EV, "KiloelectronVolt": _EV * 1e3, "MegaelectronVolt": _EV * 1e6,
    "GigaelectronVolt": _EV * 1e9, "TeraelectronVolt": _EV * 1e12, "FootPound": 1.355817948,
    "HorsepowerHour": 2.6845195377e6, "WattHour": 3600.0, "KilowattHour": 3.6e6, "MegawattHour": 3.6e9,
    "GigawattHour": 3.6e12, "TerawattHour": 3.6e15, "WattDay": 86400.0, "KilowattDay": 8.64e7, "MegawattDay": 8.64e10,
    "GigawattDay": 8.64e13, "TerawattDay": 8.64e16,
    **{f"Therm{kind}": size for kind, size in _THERMS.items()},
    **{f"Decatherm{kind}": size * 10 for kind, size in _THERMS.items()},
}  # fmt: skip

FORCES = {
    "Newton": 1.0, "Decanewton": 10.0, "Dyn": 1e-5, "KilogramForce": 9.80665, "Kilonewton": 1e3, "KiloPond": 9.80665,
    "KilopoundForce": 4448.2216152605095, "Meganewton": 1e6, "Micronewton": 1e-6, "Millinewton": 1e-3,
    "OunceForce": 0.27801385095378125, "Poundal": 0.138254954376, "PoundForce": 4.4482216152605095,
    "ShortTonForce": 8896.443230521, "TonneForce": 9806.65,
}  # fmt: skip

_PER = {"Second": 1.0, "Minute": 60.0, "Hour": 3600.0}
_PACES = {
    "Centimeter": (1e-2, "Second Minute Hour"), "Decimeter": (1e-1, "Second Minute"), "Foot": (_FOOT, "Second Minute Hour"),
    "Inch": (_INCH, "Second Minute Hour"), "Kilometer": (1e3, "Second Minute Hour"), "Meter": (1.0, "Second Minute Hour"),
    "Micrometer": (1e-6, "Second Minute"), "Mile": (_MILE, "Hour"), "Millimeter": (1e-3, "Second Minute Hour"),
    "Nanometer": (1e-9, "Second Minute"), "UsSurveyFoot": (1200 / 3937, "Second Minute Hour"),
    "Yard": (0.9144, "Second Minute Hour"),
}  # fmt: skip

SPEEDS = {"Knot": 1852 / 3600} | {
    f"{unit}Per{time}": size / _PER[time] for unit, (size, times) in _PACES.items() for time in times.split()
}

_US_GALLON, _UK_GALLON, _CUBIC_FOOT = 0.003785411784, 0.00454609, 0.028316846592

VOLUMES = {
    "CubicMeter": 1.0, "AcreFoot": 1 / 0.000810714, "AuTablespoon": 2e-5, "BoardFoot": 0.002359737216, "Centiliter": 1e-5,
    "CubicCentimeter": 1e-6, "CubicDecimeter": 1e-3, "CubicFoot": _CUBIC_FOOT, "CubicHectometer": 1e6,
    "CubicInch": 1.6387064e-5, "CubicKilometer": 1e9, "CubicMicrometer": 1e-18, "CubicMile": 4.168181825440579584e9,
    "CubicMillimeter": 1e-9, "CubicYard": 0.764554857984, "Decaliter": 1e-2, "DecausGallon": _US_GALLON * 10,
    "Deciliter": 1e-4, "DeciusGallon": _US_GALLON / 10, "HectocubicFoot": _CUBIC_FOOT * 100, "HectocubicMeter": 100.0,
    "Hectoliter": 0.1, "HectousGallon": _US_GALLON * 100, "ImperialBeerBarrel": 0.16365924, "ImperialGallon": _UK_GALLON,
    "ImperialOunce": 2.84130625e-5, "ImperialPint": 5.6826125e-4, "KilocubicFoot": _CUBIC_FOOT * 1e3,
    "KilocubicMeter": 1e3, "KiloimperialGallon": _UK_GALLON * 1e3, "Kiloliter": 1.0, "KilousGallon": _US_GALLON * 1e3,
    "Liter": 1e-3, "MegacubicFoot": _CUBIC_FOOT * 1e6, "MegaimperialGallon": _UK_GALLON * 1e6, "Megaliter": 1e3,
    "MegausGallon": _US_GALLON * 1e6, "MetricCup": 2.5e-4, "MetricTeaspoon": 5e-6, "Microliter": 1e-9,
    "Milliliter": 1e-6, "OilBarrel": 0.158987294928, "UkTablespoon": 1.5e-5, "UsBeerBarrel": 0.1173477658,
    "UsCustomaryCup": 2.365882365e-4, "UsGallon": _US_GALLON, "UsLegalCup": 2.4e-4, "UsOunce": 2.95735295625e-5,
    "UsPint": 4.73176473e-4, "UsQuart": 9.46352946e-4, "UsTablespoon": 1.478676478125e-5, "UsTeaspoon": 4.92892159375e-6,
}  # fmt: skip

# Kelvins: (of one degree, at zero degrees).
_F = Fraction
TEMPERATURES = {
    "Kelvin": (_F(1), _F(0)), "DegreeCelsius": (_F(1), _F("273.15")), "MillidegreeCelsius": (_F(1, 1000), _F("273.15")),
    "DegreeDelisle": (_F(-2, 3), _F("373.15")), "DegreeFahrenheit": (_F(5, 9), _F("459.67") * 5 / 9),
    "DegreeNewton": (_F(100, 33), _F("273.15")), "DegreeRankine": (_F(5, 9), _F(0)),
    "DegreeReaumur": (_F(5, 4), _F("273.15")), "DegreeRoemer": (_F(40, 21), _F("273.15") - _F(75, 10) * 40 / 21),
    "SolarTemperature": (_F(5778), _F(0)),
}  # fmt: skip


def _by_size(units: dict[str, float]) -> Callable[[float | None, str, str], float | None]:
    def convert(value: float | None, source: str, target: str) -> float | None:
        one, other = units.get(source), units.get(target)
        if value is None or one is None or other is None:
            return None
        # Sizes above and below one are kept exact in turn: 1.2 degrees are 72 minutes, not 71.99.
        return value * one / other if other >= 1 else value * one * (1 / other)

    return convert


def convert_angle(value: float | None, source: str, target: str) -> float | None:
    """A tilt is the sine of its angle."""
    if value is not None and source == "Tilt":
        if not -1 <= value <= 1:
            return None
        value, source = math.degrees(math.asin(value)), "Degree"
    if target != "Tilt":
        return _ANGLE(value, source, target)
    degrees = _ANGLE(value, source, "Degree")
    return None if degrees is None else math.sin(math.radians(degrees))


_ANGLE = _by_size(ANGLES)


def convert_temperature(value: float | None, source: str, target: str) -> float | None:
    one, other = TEMPERATURES.get(source), TEMPERATURES.get(target)
    if value is None or one is None or other is None:
        return None
    if not math.isfinite(value):
        return value
    return float((_F(repr(value)) * one[0] + one[1] - other[1]) / other[0])


FAMILIES = {
    "convert_energy": ENERGIES, "convert_force": FORCES, "convert_length": LENGTHS,
    "convert_mass": MASSES, "convert_speed": SPEEDS, "convert_volume": VOLUMES,
}  # fmt: skip

NATIVES: tuple[Native, ...] = (
    *(native(name, _by_size(units), REAL, REAL, STRING, STRING) for name, units in FAMILIES.items()),
    native("convert_angle", convert_angle, REAL, REAL, STRING, STRING),
    native("convert_temperature", convert_temperature, REAL, REAL, STRING, STRING),
)
