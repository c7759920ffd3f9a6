//! The pictures: the graph as SVG and as a page, and the report of a run, of the whole platform. Read as text, and driven in a
//! browser where there is one.

use bedplate_tests::{Cloud, JsonExt, Project, has_program, python, skip};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

struct Built {
    // Its cloud ends with this process.
    _cloud: Cloud,
    project: Project,
    /// Every declared address.
    addresses: BTreeSet<String>,
    /// Declared, with what it waits for.
    after: BTreeMap<String, BTreeSet<String>>,
}

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let graph = project.run(&["graph", "--json"]).ok().json();
    let texts = |list: &[Value]| list.iter().map(|it| it.as_str().expect("an address").to_owned()).collect();
    let nodes = graph.list("nodes").iter();
    let after: BTreeMap<_, _> =
        nodes.map(|node| (node.text("address").to_owned(), texts(node.list("depends_on")))).collect();
    Built { _cloud: cloud, project, addresses: after.keys().cloned().collect(), after }
});

fn graph(format: &str) -> String {
    BUILT.project.run(&["graph", "--format", format]).ok().stdout
}

fn report() -> String {
    BUILT.project.run(&["report", "--html"]).ok().stdout
}

/// Nothing is fetched from elsewhere: the names of namespaces are no addresses.
#[track_caller]
fn assert_self_contained(page: &str) {
    let rest = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch("] {
        assert!(!rest.contains(outside), "{outside} in {rest}");
    }
}

/// Each waited for the one before it, from one that waited for nothing. Which way it was is for the machine to say: here a
/// cluster takes less than a second.
#[track_caller]
fn assert_one_way(way: &[&str]) {
    let (first, last) = (way.first().expect("a way"), way.last().expect("a way"));
    assert!(BUILT.after[*first].is_empty(), "{first} begins nothing: {way:?}");
    assert!(!BUILT.after.values().any(|after| after.contains(*last)), "{last} ends nothing: {way:?}");
    for pair in way.windows(2) {
        assert!(BUILT.after[pair[1]].contains(pair[0]), "{} waits for nothing of {}: {way:?}", pair[1], pair[0]);
    }
}

/// Each declared resource stands there once, as it stands between these.
#[track_caller]
fn assert_each_once(page: &str, before: &str, after: &str) {
    for address in &BUILT.addresses {
        assert_eq!(page.matches(&format!("{before}{address}{after}")).count(), 1, "{address} in {page}");
    }
}

#[test]
fn the_graph_shows_each_resource_once_and_needs_nothing_else() {
    let (svg, page) = (graph("svg"), graph("html"));
    for picture in [&svg, &page] {
        assert_self_contained(picture);
        assert_each_once(picture, "<title>", "\n");
        assert_eq!(picture.matches("class=\"node ").count(), BUILT.addresses.len());
        // The layers, names in their boxes, how long something takes, and what takes longest of all.
        for label in
            [">network</text>", ">cluster</text>", ">vpc</text>", ">node-group/system-ng</text>", ">9 min</text>"]
        {
            assert!(picture.contains(label), "{label} in {picture}");
        }
        assert!(picture.contains("<path class=\"way\""), "{picture}");
    }
    assert!(svg.starts_with("<svg ") && page.starts_with("<!DOCTYPE html>"));
    assert!(page.contains("longest way, about "), "{page}");
}

#[test]
fn the_svg_is_well_formed() {
    let script = "import sys, xml.etree.ElementTree as tree; print(tree.parse(sys.stdin.buffer).getroot().tag)";
    let mut command = Command::new(python());
    let mut child =
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    child.stdin.take().unwrap().write_all(graph("svg").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "{http://www.w3.org/2000/svg}svg");
}

#[test]
fn the_report_shows_each_resource_once_the_critical_path_and_waits() {
    let page = report();
    assert_self_contained(&page);
    assert_each_once(&page, "data-address=\"", "\"");
    for part in ["<ol class=\"way\">", "class=\"bar critical\"", "class=\"wait\"", "What the run waited for"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let report = BUILT.project.run(&["report", "--json"]).ok().json();
    let mut critical: Vec<_> = report.list("effects").iter().filter(|effect| effect["critical"] == true).collect();
    critical.sort_by(|a, b| a["from"].as_f64().expect("seconds").total_cmp(&b["from"].as_f64().expect("seconds")));
    let critical: Vec<_> = critical.iter().map(|effect| effect.text("address")).collect();
    assert_one_way(&critical);
    let way = page.split("<ol class=\"way\">").nth(1).and_then(|rest| rest.split("</ol>").next()).expect("a way");
    let named = way.split("<span class=\"name\">").skip(1).map(|rest| rest.split('<').next().expect("a name"));
    assert_eq!(named.collect::<Vec<_>>(), critical, "{way}");
    assert_eq!(way.matches(">usually ").count(), critical.len(), "{way}");
    // In AWS's words, in what appears over the bar.
    assert!(page.contains("s CREATING"), "{page}");
}

/// A browser that draws without a screen.
fn browser() -> Option<&'static str> {
    ["chromium", "google-chrome", "chromium-browser"].into_iter().find(|name| has_program(name, "--version"))
}

/// Notes every error from the beginning on, and tells the result in the page's own text.
const WATCH: &str = "<script>
window.problems = [];
addEventListener('error', (event) => problems.push(String(event.message)));
addEventListener('unhandledrejection', (event) => problems.push(String(event.reason)));
for (const level of ['error', 'warn']) console[level] = (...words) => problems.push(words.join(' '));
window.tell = (answer) => {
  const text = document.createElement('pre');
  text.id = 'answer';
  text.textContent = encodeURIComponent(JSON.stringify({ ...answer, problems }));
  document.body.append(text);
};
</script>";

/// Opens a copy of a page in a browser, in a window so wide, and gives what the script tells.
fn drive(browser: &str, page: &str, width: u32, script: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("page.html");
    let page = page.replacen("<head>", &format!("<head>{WATCH}"), 1);
    let page = page.replacen(
        "</body>",
        &format!(
            "<script>try {{ {script} }} catch (error) {{ problems.push(String(error)); tell({{}}); }}</script></body>"
        ),
        1,
    );
    fs_err::write(&path, page).unwrap();
    let dom = dump(browser, &path, folder.path(), width);
    let answer = dom.split("<pre id=\"answer\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let answer = answer.unwrap_or_else(|| panic!("the page tells nothing: {dom}"));
    let answer: Value = serde_json::from_str(&decoded(answer)).unwrap();
    assert_eq!(answer.list("problems"), &[] as &[Value], "{answer:#}");
    answer
}

fn dump(browser: &str, page: &Path, folder: &Path, width: u32) -> String {
    let mut command = Command::new(browser);
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args(["--disable-background-networking", "--virtual-time-budget=5000", "--dump-dom"]);
    command.arg(format!("--window-size={width},900")).arg(format!("--user-data-dir={}", folder.display()));
    let output = command.arg(format!("file://{}", page.display())).stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What `encodeURIComponent` made of a text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte.expect("two digits")).to_digit(16).expect("a digit");
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next()) * 16 + digit(rest.next())).expect("a byte"),
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn the_graph_can_be_walked_around_in() {
    let Some(browser) = browser() else {
        return skip("pictures::the_graph_can_be_walked_around_in", "neither chromium nor google-chrome is installed");
    };
    let script = "
      const box = () => svg.getAttribute('viewBox'), words = (name) => document.querySelector(name).textContent;
      const width = () => +box().split(' ')[2], text = svg.querySelector('.node text').getBoundingClientRect().height;
      const wheel = (by) => main.dispatchEvent(
        new WheelEvent('wheel', { deltaY: by, clientX: 400, clientY: 400, bubbles: true, cancelable: true }));
      const pointer = (name, x, y) => main.dispatchEvent(new PointerEvent(name, { clientX: x, clientY: y, bubbles: true }));
      const click = (it) => it.dispatchEvent(new MouseEvent('click', { bubbles: true }));
      const type = (what) => { search.value = what; search.dispatchEvent(new Event('input')); };
      const begin = box(), wide = width();
      wheel(-200);
      const closer = width();
      wheel(10000);
      const farthest = width();
      window.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
      const again = box();
      pointer('pointerdown', 500, 500); pointer('pointermove', 300, 400); pointer('pointerup', 300, 400);
      const dragged = box();
      click(main);
      const afterDrag = details.hidden;
      pointer('pointerdown', 5, 5); pointer('pointerup', 5, 5);
      const cluster = nodes.find((node) => node.textContent.startsWith('cluster/cluster\\n'));
      click(cluster.querySelector('rect'));
      const clicked = { hidden: details.hidden, title: words('#details h2'), kind: words('#details p'), text: details.textContent,
        faded: getComputedStyle(nodes.find((node) => node.textContent.startsWith('monitoring/dashboard\\n'))).opacity };
      click([...details.querySelectorAll('button')].find((button) => button.textContent === 'network/vpc'));
      const followed = words('#details h2');
      click(svg.querySelector('.ground'));
      const closed = details.hidden;
      type('NODE-GROUP/');
      const found = { title: words('#details h2'), count: words('#found'), view: box() };
      const at = svg.querySelector('.chosen').getBoundingClientRect(), room = main.getBoundingClientRect();
      const panel = details.getBoundingClientRect();
      const inSight = at.left >= room.left && at.right <= room.right && at.top >= room.top && at.bottom <= room.bottom
        && (at.right < panel.left || at.bottom < panel.top);
      type('subnet');
      const first = words('#details h2');
      search.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
      const second = words('#details h2');
      type('no such thing');
      const none = { hidden: details.hidden, count: words('#found') };
      click(document.getElementById('whole'));
      const all = [...svg.querySelectorAll('.node')].every((node) => {
        const it = node.getBoundingClientRect();
        return it.right <= innerWidth && it.bottom <= innerHeight;
      });
      tell({ begin, wide, closer, farthest, again, dragged, afterDrag, clicked, followed, closed, found, inSight, first, second,
        none, all, text, sideways: document.documentElement.scrollWidth > innerWidth });
    ";
    let page = graph("html");
    for width in [1500, 800] {
        let it = drive(browser, &page, width, script);
        let number = |name: &str| it[name].as_f64().unwrap_or_else(|| panic!("{name} in {it:#}"));
        assert!(number("closer") < number("wide") && number("wide") < number("farthest"), "{it:#}");
        assert!(it["again"] == it["begin"] && it["dragged"] != it["begin"], "{it:#}");
        assert_eq!(it["afterDrag"], true, "the end of a drag is no click: {it:#}");
        let clicked = &it["clicked"];
        assert_eq!(
            (clicked.text("title"), clicked.text("kind")),
            ("cluster/cluster", "eks.cluster: ready, takes about 9 min"),
            "{it:#}"
        );
        assert_eq!((&clicked["hidden"], clicked.text("faded")), (&Value::Bool(false), "0.25"), "{it:#}");
        let text = clicked.text("text");
        assert!(text.contains("needs (") && text.contains("needed by (") && text.contains("network/vpc"), "{it:#}");
        assert_eq!((it.text("followed"), &it["closed"]), ("network/vpc", &Value::Bool(true)), "{it:#}");
        assert_eq!(it["found"].text("title"), "cluster/node-group/system-ng", "{it:#}");
        assert!(it["found"].text("count") == "1 of 1" && it["inSight"] == true, "{it:#}");
        assert!(it.text("first").contains("subnet") && it.text("second").contains("subnet"), "{it:#}");
        assert_ne!(it["first"], it["second"], "Enter goes to the next one: {it:#}");
        assert_eq!((&it["none"]["hidden"], it["none"].text("count")), (&Value::Bool(true), "none"), "{it:#}");
        assert_eq!(it["all"], true, "all of it is in sight: {it:#}");
        assert!(number("text") >= 10.0, "the letters are large enough to be read: {it:#}");
        assert_eq!(it["sideways"], false, "{it:#}");
    }
}

#[test]
fn the_report_fits_the_window() {
    let Some(browser) = browser() else {
        return skip("pictures::the_report_fits_the_window", "neither chromium nor google-chrome is installed");
    };
    let script = "
      const rows = [...document.querySelectorAll('.row[data-address]')], within = (it, room) => {
        const [a, b] = [it.getBoundingClientRect(), room.getBoundingClientRect()];
        return a.left >= b.left - 4 && a.right <= b.right + 4 && a.width > 1;
      };
      tell({
        rows: rows.length,
        critical: rows.filter((row) => row.querySelector('.critical')).map((row) => row.dataset.address),
        way: [...document.querySelectorAll('.way .name')].map((name) => name.textContent),
        outside: rows.filter((row) => !within(row.querySelector('.bar'), row.querySelector('.track'))).length,
        cut: rows.filter((row) => row.querySelector('.time').getBoundingClientRect().right > innerWidth).length,
        keys: [...document.querySelectorAll('.legend i')].filter((key) => within(key, key.parentElement)).length,
        letters: parseFloat(getComputedStyle(rows[0]).fontSize),
        sideways: document.documentElement.scrollWidth > innerWidth,
      });
    ";
    let page = report();
    for width in [1500, 800, 420] {
        let it = drive(browser, &page, width, script);
        assert_eq!(it["rows"], BUILT.addresses.len(), "{it:#}");
        let way: Vec<_> = it.list("way").iter().map(|address| address.as_str().expect("an address")).collect();
        assert_one_way(&way);
        let shown: BTreeSet<_> = it.list("critical").iter().filter_map(Value::as_str).collect();
        assert_eq!(shown, way.iter().copied().collect(), "{it:#}");
        assert_eq!((&it["outside"], &it["cut"], &it["sideways"]), (&0.into(), &0.into(), &false.into()), "{it:#}");
        assert_eq!(it["keys"], 6, "the legend shows what it explains: {it:#}");
        assert!(it["letters"].as_f64().is_some_and(|size| size >= 12.0), "{it:#}");
    }
}

#[test]
fn the_svg_opens_in_a_browser() {
    let Some(browser) = browser() else {
        return skip("pictures::the_svg_opens_in_a_browser", "neither chromium nor google-chrome is installed");
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("graph.svg");
    fs_err::write(&path, graph("svg")).unwrap();
    let dom = dump(browser, &path, folder.path(), 1500);
    assert!(!dom.contains("parsererror"), "{dom}");
    assert_eq!(dom.matches("class=\"node ").count(), BUILT.addresses.len());
}
