"""System.Xml.Linq, XmlDocument and XmlReader: (expression, text), after the examples of their documentation."""

from __future__ import annotations

import pytest

from tests.support.expressions import evaluate, thrown

_SOAP = "XDocument.Parse(\"<?xml version='1.0' encoding='utf-8'?><s:E xmlns:s='urn:s'><s:B><x xmlns='urn:x'>1</x></s:B></s:E>\")"

VALUES = [
    # ToString: two spaces, CRLF, a space before the slash; no declaration; text among elements keeps its lines.
    ("XElement.Parse(\"<a><b>1</b><c x='2'/></a>\").ToString()", '<a>\r\n  <b>1</b>\r\n  <c x="2" />\r\n</a>'),
    ('XElement.Parse("<a> <b>1</b>\\n<c></c></a>").ToString(SaveOptions.DisableFormatting)', "<a><b>1</b><c></c></a>"),
    ('XElement.Parse("<a> <b/> </a>", LoadOptions.PreserveWhitespace).ToString()', "<a> <b /> </a>"),
    ('XElement.Parse("<a>1<b/>2</a>").ToString()', "<a>1<b />2</a>"),
    ('new XElement("a", "").ToString() + new XElement("a") + XElement.Parse("<a></a>") + XElement.Parse("<a/>")', "<a></a><a /><a></a><a />"),
    ('new XElement("a", "<&>\\"", new XAttribute("b", "<&>\\"\\n")).ToString()', '<a b="&lt;&amp;&gt;&quot;&#xA;">&lt;&amp;&gt;"</a>'),
    ('new XElement("a", new XCData("<x>"), new XComment("c")).ToString()', "<a><![CDATA[<x>]]><!--c--></a>"),
    ('XElement.Parse("<a><![CDATA[1]]>2<![CDATA[3]]></a>").Nodes().Count()', "3"),
    ('new XDocument(new XDeclaration("1.0", "utf-8", null), new XComment("c"), new XElement("a", new XElement("b"))).ToString()', "<!--c-->\r\n<a>\r\n  <b />\r\n</a>"),
    ('new XDeclaration("1.0", "utf-8", "yes").ToString()', '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'),
    # Content: sequences are opened, null is nothing, values are written as XML Schema has them, nodes with a parent copied.
    (
        'new XElement("a", new XAttribute("b", 1), new XElement("c", "d"), "t", 5, true, null, 1.5m, new DateTime(2024,1,2)).ToString()',
        '<a b="1"><c>d</c>t5true1.52024-01-02T00:00:00</a>',
    ),
    ('new XElement("a", new [] {1, 2}.Select(i => new XElement("b", i))).ToString(SaveOptions.DisableFormatting)', "<a><b>1</b><b>2</b></a>"),
    ('{ var b = new XElement("b"); var a = new XElement("a", b, b); return (a.Elements().First() == b) + "" + (a.Elements().Last() == b); }', "TrueFalse"),
    # Names and namespaces.
    (
        '{ XNamespace ns = "http://x"; return new XElement(ns + "root", new XElement(ns + "item", "v"), new XElement("plain")).ToString(); }',
        '<root xmlns="http://x">\r\n  <item>v</item>\r\n  <plain xmlns="" />\r\n</root>',
    ),
    (
        '{ XNamespace ns = "http://x"; return new XElement(ns + "r", new XAttribute(XNamespace.Xmlns + "p", "http://x"), new XAttribute(ns + "at", 1), new XElement(ns + "i")).ToString(SaveOptions.DisableFormatting); }',
        '<p:r xmlns:p="http://x" p:at="1"><p:i /></p:r>',
    ),
    (f'{_SOAP}.Descendants().First(e => e.Name.LocalName == "x").ToString()', '<x xmlns="urn:x">1</x>'),
    (f"{_SOAP}.Root.Elements().First().ToString(SaveOptions.DisableFormatting)", '<s:B xmlns:s="urn:s"><x xmlns="urn:x">1</x></s:B>'),
    (f'{_SOAP}.Root.Element("{{urn:s}}B").Element(XName.Get("x", "urn:x")).Value', "1"),
    (f"{_SOAP}.Declaration.Encoding", "utf-8"),
    (f"{_SOAP}.Root.Name", "{urn:s}E"),
    (f'{_SOAP}.Root.GetPrefixOfNamespace("urn:s") + {_SOAP}.Root.GetNamespaceOfPrefix("s") + {_SOAP}.Root.GetDefaultNamespace()', "surn:s"),
    ('XElement.Parse("<a/>").Name == "a"', "True"),
    # Reading.
    ('XElement.Parse("<a><b>x</b>y<b>z</b></a>").Value', "xyz"),
    ('(int)XElement.Parse("<a> 5 </a>") + ((int?)XElement.Parse("<a/>").Element("x") ?? 1)', "6"),
    ("((string)XElement.Parse(\"<a x='1'/>\").Attribute(\"x\")) + ((string)XElement.Parse(\"<a/>\").Attribute(\"y\") ?? \"none\")", "1none"),
    ('(bool)XElement.Parse("<a>1</a>") && (double)XElement.Parse("<a>-INF</a>") < 0', "True"),
    ("string.Join(\"|\", XElement.Parse(\"<a><b i='1'/><b i='2'/></a>\").Elements(\"b\").Attributes(\"i\").Select(b => b.Value))", "1|2"),
    ('XElement.Parse("<a><b/>t</a>").FirstNode.NextNode.NodeType', "Text"),
    ('XElement.Parse("<a><b><c/></b></a>").Descendants("c").Single().Ancestors().Select(e => e.Name.LocalName).Last()', "a"),
    ('XNode.DeepEquals(XElement.Parse("<a><b/></a>"), XElement.Parse("<a> <b></b> </a>"))', "True"),
    # Changing.
    (
        '{ var e = XElement.Parse("<a><b>1</b></a>"); e.Element("b").Value = "2 < 3"; e.Add(new XElement("c", e.Element("b"))); e.SetAttributeValue("q", 1); e.SetElementValue("n", 5); e.Elements("b").Remove(); return e.ToString(SaveOptions.DisableFormatting); }',
        '<a q="1"><c><b>2 &lt; 3</b></c><n>5</n></a>',
    ),
    (
        '{ var e = XElement.Parse("<a><b/></a>"); e.Element("b").AddBeforeSelf("x"); e.Element("b").AddAfterSelf(new XElement("c")); e.Element("b").ReplaceWith(new XElement("d")); e.AddFirst("y"); e.Name = "z"; return e.ToString(); }',
        "<z>yx<d /><c /></z>",
    ),
    ('{ var e = XElement.Parse("<a b=\'1\'><b/></a>"); e.ReplaceAll("t", new XAttribute("k", 2)); e.Attribute("k").Remove(); e.SetValue(7); return e.ToString(); }', "<a>7</a>"),
    # XmlDocument, XPath, XmlReader.
    ("{ var d = new XmlDocument(); d.LoadXml(\"<a><b>1</b><c k='v'><d/></c></a>\"); return d.SelectSingleNode(\"//b\").InnerText + d.SelectSingleNode(\"/a/c\").Attributes[\"k\"].Value + d.SelectNodes(\"//*\").Count + d.OuterXml + d.GetElementsByTagName(\"d\")[0].ParentNode.Name; }", '1v4<a><b>1</b><c k="v"><d /></c></a>c'),
    ("{ var d = new XmlDocument(); d.LoadXml(\"<s:E xmlns:s='u'><s:B>x</s:B></s:E>\"); return d.SelectSingleNode(\"//*[local-name()='B']\").InnerText + d.DocumentElement.Name; }", "xs:E"),
    ("{ var d = new XmlDocument(); d.LoadXml(\"<a><b i='1'>p</b><b i='2'>q</b></a>\"); return d.SelectSingleNode(\"/a/b[@i='2']\").InnerText + d.SelectSingleNode(\"a/b[1]/text()\").Value + d.SelectSingleNode(\"//b[last()]/@i\").Value + (d.SelectSingleNode(\"//z\") == null) + d.SelectNodes(\"//b[contains(., 'p')]\").Count; }", "qp2True1"),
    ('{ using (XmlReader r = XmlReader.Create(new StringReader("<a><b>1</b> <b>2</b></a>"))) { r.MoveToContent(); var s = r.Name; while (r.Read()) { if (r.NodeType == XmlNodeType.Element && r.Name == "b") { var el = XNode.ReadFrom(r) as XElement; s += el.Value; } } return s; } }', "a1"),
    ('{ var r = new StringReader("a\\r\\nb\\nc"); return r.ReadLine() + r.ReadLine() + r.ReadToEnd() + (r.ReadLine() == null); }', "abcTrue"),
    ('{ var w = new StringWriter(); w.Write("a{0}", 1); w.WriteLine("b"); return w.ToString() + w.GetStringBuilder().Length; }', "a1b\r\n5"),
]  # fmt: skip

THROWN = [
    ("XElement.Parse(\"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>\")", "XmlException"),
    ("XElement.Parse(\"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>\")", "XmlException"),
    ('XElement.Parse("<a>&x;</a>")', "XmlException"),
    ('XElement.Parse("<a><b></a>")', "XmlException"),
    ('XElement.Parse("")', "XmlException"),
    ('XElement.Parse("<a/><b/>")', "XmlException"),
    ('XElement.Parse("<p:a/>")', "XmlException"),
    ("XElement.Parse(\"<a x='1' x='2'/>\")", "XmlException"),
    ('XElement.Parse("<a>\\u0001</a>")', "XmlException"),
    ('new XElement("a b")', "XmlException"),
    ('new XElement("1b")', "XmlException"),
    ('new XElement("a", new XAttribute("b", 1), new XAttribute("b", 2))', "InvalidOperationException"),
    ('new XElement("a").Remove()', "InvalidOperationException"),
    ('(int)XElement.Parse("<a>x</a>")', "FormatException"),
    ('(int)XElement.Parse("<a/>").Element("b")', "ArgumentNullException"),
    ("XElement.Parse(null)", "ArgumentNullException"),
    ("{ var d = new XmlDocument(); d.LoadXml(\"<a/>\"); return d.SelectSingleNode(\"//b[position() < 2]\"); }", "XPathException"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "result"), VALUES, ids=[t for t, _ in VALUES])
def test_xml(text: str, result: str) -> None:
    assert evaluate(text) == result


@pytest.mark.parametrize(
    ("text", "name"), [("{ " + t + "; return 1; }" if t.endswith(".Remove()") else t, n) for t, n in THROWN]
)
def test_xml_exceptions(text: str, name: str) -> None:
    assert thrown(text) == name


LIMITED = [
    # Depth when parsed and when made; growth by copying; paths that multiply.
    "XElement.Parse(new string('x', 0) + string.Concat(Enumerable.Repeat(\"<a>\", 20000)))",
    '{ var e = new XElement("a"); for (int i = 0; i < 100000; i++) { e = new XElement("a", e); } return e.ToString(); }',
    '{ var e = new XElement("a", "t"); while (true) { e.Add(e); } }',
    '{ var e = new XElement("a", new string(\'x\', 1000000)); for (int i = 0; i < 100; i++) { e = new XElement("a", new XElement(e), new XElement(e)); } return e; }',
    '{ var e = new XElement("a"); while (true) { e.Add("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); } }',
]


@pytest.mark.parametrize("text", LIMITED)
def test_xml_limits(text: str) -> None:
    assert thrown(text) in ("LimitExceeded", "XmlException", "RecursionError")
