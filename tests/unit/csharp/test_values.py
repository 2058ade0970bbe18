"""Numbers, texts, dates, spans, zones, patterns and the rest of System: (expression, text) after .NET's documentation."""

from __future__ import annotations

import pytest

from tests.support.expressions import evaluate, mistakes, thrown

VALUES = [
    # Numbers: styles, bases, the statics of decimal and Math.
    ('int.Parse("ff", System.Globalization.NumberStyles.HexNumber) + int.Parse("FFFFFFFF", NumberStyles.AllowHexSpecifier) + int.Parse("1,234", NumberStyles.AllowThousands)', "1488"),
    ('decimal.Parse("(1,234.50)", NumberStyles.Any, CultureInfo.InvariantCulture) + "|" + double.Parse("1.5e3", CultureInfo.InvariantCulture) + (double.TryParse("x", NumberStyles.Any, CultureInfo.InvariantCulture, out var d) ? "y" : "n")', "-1234.50|1500n"),
    ('(1234.5).ToString("N1", CultureInfo.InvariantCulture) + (1.5).ToString(CultureInfo.InvariantCulture) + string.Format(CultureInfo.InvariantCulture, "{0:F1}", 2)', "1,234.51.52.0"),
    ('Convert.ToInt64("ff", 16) + Convert.ToInt16("77", 8) + Convert.ToByte("101", 2) + "|" + Convert.ToInt32("ffffffff", 16) + Convert.ToSByte("ff", 16) + Convert.ToUInt64("ffffffffffffffff", 16)', "323|-1-118446744073709551615"),
    ('Convert.ToString(10, 2) + "|" + Convert.ToString(-1, 16) + "|" + Convert.ToString((byte)255, 8) + "|" + Convert.ToString(-1L, 16) + Convert.ToString((short)-1, 16)', "1010|ffffffff|377|ffffffffffffffffffff"),
    ('decimal.Round(2.5m) + "|" + decimal.Round(1.255m, 2) + "|" + decimal.Round(2.5m, MidpointRounding.AwayFromZero) + decimal.Truncate(-1.9m) + decimal.Floor(-1.1m) + decimal.Add(1.5m, 2m) + decimal.ToInt32(3.9m) + decimal.MinusOne', "2|1.26|3-1-23.53-1"),
    ('string.Join(",", decimal.GetBits(1.5m)) + "|" + string.Join(",", decimal.GetBits(-1m))', "15,0,0,65536|1,0,0,-2147483648"),
    ('Math.Log(8, 2) + "|" + Math.IEEERemainder(3, 2) + Math.BigMul(2147483647, 2) + Math.DivRem(7, 2, out var r) + r + Math.Clamp(11, 1, 10) + Math.Atan2(0, 1) + Math.Exp(0) + Math.Asin(2)', "3|-1429496729431" + "10" + "01NaN"),
    ('double.IsPositiveInfinity(1.0 / 0) && double.IsNegativeInfinity(-1.0 / 0) && double.Epsilon > 0', "True"),
    # Char.
    ('char.IsControl(\'\\n\') && char.IsSymbol(\'+\') && char.IsSeparator(\' \') && char.IsDigit("a1", 1)', "True"),
    ("char.GetNumericValue('8') + char.ConvertFromUtf32(0x1F600) + char.Parse(\"a\") + (int)char.MaxValue", "8\U0001f600a65535"),
    # String.
    ('"abcabc".LastIndexOf("b", 3) + "|" + "abc".IndexOf("c", 0, 2) + "abcd".IndexOfAny(new [] {\'d\',\'c\'}, 1) + "abcb".LastIndexOfAny(new [] {\'b\'}) + new string("abc".ToCharArray(1, 2))', "1|-123bc"),
    ('"Hello".Replace("L", "x", StringComparison.OrdinalIgnoreCase) + "abc".EndsWith(\'c\') + string.Join("-", new [] {"a","b","c"}, 1, 2) + string.Compare("xab", 1, "yab", 1, 2)', "HexxoTrueb-c0"),
    ('StringComparer.OrdinalIgnoreCase.Equals("a", "A") + "" + (StringComparer.Ordinal.Compare("a", "A") > 0) + (StringComparer.OrdinalIgnoreCase.GetHashCode("a") == StringComparer.OrdinalIgnoreCase.GetHashCode("A")) + "e\\u0301".Normalize().Length', "TrueTrueTrue1"),
    ('{ var sb = new StringBuilder("Hello"); sb.Append("xyz", 1, 1).Append(\'!\', 2).Remove(0, 1).Insert(0, "J").Replace(\'l\', \'L\').Replace("o", "0", 0, 5); sb[0] = \'j\'; sb.Length = sb.Length - 1; return sb.ToString(0, 3) + "|" + sb + "|" + sb.Length + sb[1]; }', "jeL|jeLL0y!|7e"),
    # Convert.
    ("Convert.ToBase64String(new byte[60], Base64FormattingOptions.InsertLineBreaks).Length + Convert.ToBase64String(new byte[] {1,2,3}, 1, 2) + Convert.ToHexString(Convert.FromHexString(\"0aFF\")) + Convert.IsDBNull(null)", "82AgM=0AFFFalse"),
    # Guid: the bytes of the documentation's example.
    ('new Guid(Guid.Parse("35918bc9-196d-40ea-9779-889d79b753f0").ToByteArray()).ToString() + BitConverter.ToString(Guid.Parse("35918bc9-196d-40ea-9779-889d79b753f0").ToByteArray())', "35918bc9-196d-40ea-9779-889d79b753f0C9-8B-91-35-6D-19-EA-40-97-79-88-9D-79-B7-53-F0"),
    ('new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11).ToString() + Guid.ParseExact("{00000000-0000-0000-0000-000000000001}", "B").ToString("P") + (Guid.TryParseExact("0", "N", out var g) ? "y" : "n") + Guid.Empty.ToString("X")', "00000001-0002-0003-0405-060708090a0b(00000000-0000-0000-0000-000000000001)n{0x00000000,0x0000,0x0000,{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}}"),
    # Enum.
    ('Enum.Parse<DayOfWeek>("monday", true) + "" + (Enum.TryParse("Sunday", out DayOfWeek d) ? d.ToString("d") : "no") + (Enum.TryParse<DayOfWeek>("Noday", out var n) ? "y" : "n") + DayOfWeek.Friday.ToString("D") + DayOfWeek.Friday.ToString("X")', "Monday0n500000005"),
    ("(RegexOptions.IgnoreCase | RegexOptions.Singleline).ToString() + RegexOptions.None + (RegexOptions.IgnoreCase | RegexOptions.Multiline).HasFlag(RegexOptions.Multiline) + JTokenType.None + Formatting.None", "IgnoreCase, SinglelineNoneTrueNoneNone"),
    ('{ try { throw new ArgumentException("a", new Exception("b")); } catch (Exception e) { return e.GetType().Name + e.GetType() + e.GetBaseException().Message + e.HResult.GetType().FullName + (e.StackTrace == null); } }', "ArgumentExceptionSystem.ArgumentExceptionbSystem.Int32True"),
    # Dates: exact formats, styles, standard formats of the documentation's table (2009-06-15T13:45:30).
    ('DateTime.ParseExact("20240131 23:05", "yyyyMMdd HH:mm", CultureInfo.InvariantCulture).ToString("s") + DateTime.ParseExact("15 Jun 2009 1:45:30 PM", "dd MMM yyyy h:mm:ss tt", null).ToString("s")', "2024-01-31T23:05:002009-06-15T13:45:30"),
    ('(DateTime.TryParseExact("2024-13-01", "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var x) ? "y" : "n") + DateTime.ParseExact("Mon, 15 Jun 2009 20:45:30 GMT", "r", null).ToString("o")', "n2009-06-15T20:45:30.0000000+00:00"),
    ('DateTime.ParseExact("2024-01-01T00:00:00Z", new [] {"yyyy", "yyyy-MM-ddTHH:mm:ssK"}, null, DateTimeStyles.AdjustToUniversal).ToString("o") + DateTime.Parse("2024-01-01T00:00:00Z", null, DateTimeStyles.RoundtripKind).Kind + DateTime.Parse("2024-01-01", null, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal).Kind', "2024-01-01T00:00:00.0000000ZUtcUtc"),
    ('new DateTime(2009,6,15,13,45,30).ToShortDateString() + "|" + new DateTime(2009,6,15,13,45,30).ToLongDateString() + "|" + new DateTime(2009,6,15,13,45,30).ToShortTimeString() + "|" + new DateTime(2009,6,15,13,45,30).ToLongTimeString()', "06/15/2009|Monday, 15 June 2009|13:45|13:45:30"),
    ('string.Join("|", new [] {"d","D","f","F","g","G","m","r","s","t","T","u","y"}.Select(f => new DateTime(2009,6,15,13,45,30).ToString(f, CultureInfo.InvariantCulture)))', "06/15/2009|Monday, 15 June 2009|Monday, 15 June 2009 13:45|Monday, 15 June 2009 13:45:30|06/15/2009 13:45|06/15/2009 13:45:30|June 15|Mon, 15 Jun 2009 13:45:30 GMT|2009-06-15T13:45:30|13:45|13:45:30|2009-06-15 13:45:30Z|2009 June"),
    ("new DateTime(1970,1,1,0,0,0,DateTimeKind.Utc).ToFileTimeUtc() + \"|\" + DateTime.FromFileTimeUtc(116444736000000000).ToString(\"o\") + new DateTime(1900,1,1).ToOADate()", "116444736000000000|1970-01-01T00:00:00.0000000Z2"),
    ('new DateTimeOffset(2008,5,1,8,6,32,new TimeSpan(1,0,0)).ToString() + "|" + new DateTimeOffset(2008,5,1,8,6,32,TimeSpan.Zero).ToOffset(TimeSpan.FromHours(-7)).ToString("o")', "05/01/2008 08:06:32 +01:00|2008-05-01T01:06:32.0000000-07:00"),
    ('DateTimeOffset.ParseExact("2024-01-01 +0200", "yyyy-MM-dd zzz", null).UtcTicks - new DateTimeOffset(2024,1,1,0,0,0,TimeSpan.FromHours(2)).UtcTicks + "" + new DateTimeOffset(1L, TimeSpan.Zero).EqualsExact(new DateTimeOffset(1L, TimeSpan.Zero))', "0True"),
    ('(DateTimeOffset.UtcNow > new DateTime(2020,1,1,0,0,0,DateTimeKind.Utc)) + "" + (new DateTime(2020,1,1) <= new DateTimeOffset(2020,1,1,0,0,0,TimeSpan.Zero)) + (new DateTimeOffset(1L, TimeSpan.Zero) < new DateTimeOffset(2L, TimeSpan.Zero))', "TrueTrueTrue"),
    # Spans.
    ('TimeSpan.TicksPerSecond + "|" + TimeSpan.TicksPerDay + "|" + (TimeSpan.TryParse("1:2:3", out var t) ? t.TotalSeconds : -1) + TimeSpan.ParseExact("05:30", @"hh\\:mm", null) + TimeSpan.Compare(TimeSpan.Zero, TimeSpan.MaxValue)', "10000000|864000000000|372305:30:00-1"),
    # Zones: the hour that is skipped and the one that comes twice, in Berlin in 2024.
    ('TimeZoneInfo.ConvertTimeFromUtc(new DateTime(2024,7,1,12,0,0,DateTimeKind.Utc), TimeZoneInfo.FindSystemTimeZoneById("W. Europe Standard Time")).ToString("s") + TimeZoneInfo.ConvertTimeToUtc(new DateTime(2024,1,1,12,0,0), TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin")).ToString("s")', "2024-07-01T14:00:002024-01-01T11:00:00"),
    ('TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").IsInvalidTime(new DateTime(2024,3,31,2,30,0)) + "" + TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").IsAmbiguousTime(new DateTime(2024,10,27,2,30,0)) + TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").GetUtcOffset(new DateTime(2024,10,27,2,30,0)) + TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin").IsDaylightSavingTime(new DateTime(2024,7,1))', "TrueTrue01:00:00True"),
    ('TimeZoneInfo.ConvertTimeBySystemTimeZoneId(new DateTimeOffset(2024,1,1,0,0,0,TimeSpan.Zero), "Pacific Standard Time").ToString("o") + TimeZoneInfo.Local.Id + TimeZoneInfo.FindSystemTimeZoneById("Asia/Tokyo").BaseUtcOffset + TimeZoneInfo.Utc.SupportsDaylightSavingTime', "2023-12-31T16:00:00.0000000-08:00UTC09:00:00False"),
    # Regular expressions: captures, results, counts, options.
    (r'{ var m = Regex.Match("a1b22", @"(?:([a-z])(\d+))+"); return m.Groups[2].Captures.Count + m.Groups[2].Captures[0].Value + m.Groups[2].Captures[1].Value + m.Result("<$1-$2-$&-$$>"); }', "2122<b-22-a1b22-$>"),
    ('string.Join("|", Regex.Match("k=v", "(?<key>.)=(?<val>.)").Groups.Cast<Group>().Select(g => g.Name + ":" + g.Value))', "0:k=v|key:k|val:v"),
    ('new Regex("a").Replace("aaa", "b", 2) + new Regex("a").Replace("aaa", m => m.Index.ToString(), 1) + string.Join("|", new Regex(",").Split("a,b,c", 2)) + new Regex("a").Match("aba", 1).Index', "bba0aaa|b,c2"),
    ("Regex.Replace(\"aXb\", \"x\", m => \"<\" + m.Value + \">\", RegexOptions.IgnoreCase) + Regex.IsMatch(\"A\", \"a\", RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1)) + Match.Empty.Success", "a<X>bTrueFalse"),
    ('Regex.Escape("a.b*c [d]\\n") + Regex.Unescape(@"a\\.b\\n\\u0041") + string.Join(",", new Regex("(?<x>a)(b)").GetGroupNames()) + new Regex("a+").ToString()', "a\\.b\\*c\\ \\[d]\\na.b\nA0,1,xa+"),
    ('Regex.Match("ab", "(a)(?<n>b)", RegexOptions.ExplicitCapture).Groups.Count + "" + Regex.Match("aab", "a", RegexOptions.RightToLeft).Index + Regex.Replace("ab", "(a)(b)", "$2$1$`$\'$+")', "21bab"),
]  # fmt: skip

THROWN = [
    ('int.Parse("100000000", NumberStyles.HexNumber)', "OverflowException"),
    ('int.Parse("1,5", NumberStyles.Integer)', "FormatException"),
    ('Convert.ToInt32("12", 3)', "ArgumentException"),
    ('Convert.ToByte("1ff", 16)', "OverflowException"),
    ('Convert.ToInt32("", 16)', "ArgumentOutOfRangeException"),
    ("new Guid(new byte[3])", "ArgumentException"),
    ('Enum.Parse<DayOfWeek>("Noday")', "ArgumentException"),
    ('DateTime.ParseExact("2024", "yyyy-MM", null)', "FormatException"),
    ("new DateTimeOffset(2024,1,1,0,0,0,TimeSpan.FromHours(15))", "ArgumentOutOfRangeException"),
    ('TimeZoneInfo.FindSystemTimeZoneById("../../etc/passwd")', "TimeZoneNotFoundException"),
    ('TimeZoneInfo.ConvertTimeToUtc(new DateTime(2024,3,31,2,30,0), TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"))', "ArgumentException"),
    ('TimeZoneInfo.ConvertTimeFromUtc(DateTime.MaxValue, TimeZoneInfo.FindSystemTimeZoneById("Asia/Tokyo"))', "ArgumentOutOfRangeException"),
    ('Match.Empty.Result("$1")', "NotSupportedException"),
    ('new Regex("a").Match("a", 5)', "ArgumentOutOfRangeException"),
    ("char.Parse(\"ab\")", "FormatException"),
    ("{ var sb = new StringBuilder(\"a\"); sb.Remove(0, 5); return sb; }", "ArgumentOutOfRangeException"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "result"), VALUES, ids=[t for t, _ in VALUES])
def test_values(text: str, result: str) -> None:
    assert evaluate(text) == result


@pytest.mark.parametrize(("text", "name"), THROWN, ids=[t for t, _ in THROWN])
def test_value_exceptions(text: str, name: str) -> None:
    assert thrown(text) == name


def test_a_type_leads_nowhere() -> None:
    for text in ('"a".GetType().Assembly', '"a".GetType().BaseType', "1.GetType().GetMethods()"):
        assert [d.code for d in mistakes(text)] == ["CS0203"]


LIMITED = [
    "{ var sb = new StringBuilder(); sb.Length = 2000000000; return sb.Length; }",
    "{ var sb = new StringBuilder(); while (true) { sb.Append('x', 1000000); } }",
    '{ var b = new byte[30000000]; return Convert.ToBase64String(b) + Convert.ToHexString(b); }',
]  # fmt: skip


@pytest.mark.parametrize("text", LIMITED)
def test_value_limits(text: str) -> None:
    assert thrown(text) in ("LimitExceeded", "RegexMatchTimeoutException")
