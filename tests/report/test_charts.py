import pytest
from lxml import etree

from pilebuilder.report import charts
from pilebuilder.report.svg import Linear, fit, round_step, text_width
from tests.report.made import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing):
    return etree.fromstring(drawing.encode(), etree.XMLParser(resolve_entities=False))


def drawn(width):
    bars = [charts.Bar(HOSTILE, (charts.Part(5, "c1", HOSTILE),), "5"), charts.Bar("b", (charts.Part(0, "c1"),), "0")]
    yield charts.bars(width, bars, label=HOSTILE, key=[("c1", "kept")])
    dots = [charts.Dots(HOSTILE, (charts.Part(0.1, "c1"), charts.Part(0.3, "c2")), (0.05, 0.4), "0.1")]
    yield charts.dots(width, dots, label="d", lines=[(0.2, HOSTILE), (0.21, "web")])
    panels = [charts.Panel(HOSTILE, (0, 3, 1), "n = 4", 1.5)]
    yield charts.panels(width, panels, label="p", first=0, ticks=[(0, "1 B"), (2, "10 B")])
    yield charts.treemap(width, [charts.Box(HOSTILE, 5, "c1", "50 %"), charts.Box("b", 5, "c2")], label="t")
    yield charts.stacked_shares(width, [(HOSTILE, [0.5, 0.5])], ["en", HOSTILE], label="s", title="x")


@pytest.mark.parametrize("width", [340, 760])
def test_drawings_are_well_formed_inert_and_as_wide_as_asked(width):
    for drawing in drawn(width):
        root = parsed(drawing)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert float(root.get("width")) == width
        assert not [e for e in root.iter() if e.tag == SVG + "script"]
        assert "\u202e" not in drawing
        for shape in root.iter(SVG + "rect"):
            assert float(shape.get("x")) >= -0.1
            assert float(shape.get("x")) + float(shape.get("width")) <= width + 0.2


@pytest.mark.parametrize("width", [340, 760])
def test_charts_of_nothing_are_drawn_empty(width):
    parsed(charts.bars(width, [], label="none"))
    parsed(charts.dots(width, [], label="none"))
    parsed(charts.panels(width, [], label="none", first=0, ticks=[]))
    parsed(charts.treemap(width, [], label="none"))


def test_treemap_areas_are_in_proportion():
    areas = [6, 6, 4, 3, 2, 2, 1]  # the example of the paper, on 6 by 4
    placed = charts.squarify(areas, 0, 0, 6, 4)
    assert [round(w * h, 9) for _, _, w, h in placed] == areas
    assert max(x + w for x, _, w, _ in placed) == pytest.approx(6)
    assert max(y + h for _, y, _, h in placed) == pytest.approx(4)
    assert placed[0] == pytest.approx((0, 0, 3, 2))


def test_labels_are_cut_to_their_room():
    assert fit("short", 100) == "short"
    cut = fit("a rather long label", 60)
    assert cut.endswith("…")
    assert text_width(cut) <= 60
    assert fit("label", 5) == ""


def test_axis_ticks_are_round():
    assert Linear(97, 0, 100).ticks(5) == [0, 20, 40, 60, 80]
    assert round_step(0.00021) == pytest.approx(0.00025)
