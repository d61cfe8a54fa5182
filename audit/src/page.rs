//! The results of an audit as an HTML page that needs nothing else.

use std::fmt::Write;

use crate::campaign::{Extent, Sums};
use crate::findings::Finding;
use crate::results::Row;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
    div{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;\
    border-bottom:1px solid #ccc}td.n{text-align:right}td.bad{background:#fbdcdc}";

/// The page: one table a product, one line a campaign.
pub fn html(rows: &[Row], extent: &Extent, left_out: &[String]) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Audit of brokers</title>\
         <style>{STYLE}</style><h1>Audit of brokers</h1>\
         <p>{} messages in each of {} rounds a line. Lost: acked, and never delivered. Again: delivered after a \
         confirmed settle. Unmarked: again, and not marked as a redelivery.</p>",
        extent.messages, extent.rounds
    );
    for of_product in rows.chunk_by(|a, b| a.campaign.product.name() == b.campaign.product.name()) {
        let at = of_product[0].campaign.server.as_ref();
        let at = at.map_or(String::new(), |server| format!(" at {}", escaped(&server.address().to_string())));
        let (name, version) = (of_product[0].campaign.product.name(), escaped(&of_product[0].version));
        let _ = write!(
            out,
            "<h2>{name} {version}{at}</h2><div><table><tr><th>setting<th>fault<th>load<th>acked<th>lost\
             <th>settled<th>again<th>unmarked<th>rounds with findings</tr>"
        );
        for row in of_product {
            line(&mut out, row);
        }
        out += "</table></div>";
    }
    for line in left_out {
        let _ = write!(out, "<p>Left out: {}</p>", escaped(line));
    }
    out + "</html>\n"
}

fn line(out: &mut String, row: &Row) {
    let campaign = &row.campaign;
    let (setting, fault) = (campaign.setting, campaign.fault);
    let _ = write!(
        out,
        "<tr><td title=\"{}\">{}<td title=\"{}\">{}<td>{}",
        escaped(setting.means),
        setting.name,
        escaped(fault.means()),
        fault.name(),
        campaign.load
    );
    match &row.sums {
        Err(trouble) => {
            let _ = write!(out, "<td colspan=\"6\">{}", escaped(&trouble.to_string()));
        }
        Ok(sums) => {
            for (figure, is_bad) in figures(sums) {
                let class = if is_bad && figure > 0 { "n bad" } else { "n" };
                let _ = write!(out, "<td class=\"{class}\">{figure}");
            }
            let told = sums.findings.iter().map(|(finding, rounds)| format!("{finding} {rounds}/{}", sums.rounds));
            let not_struck = (sums.not_struck > 0).then(|| format!("not struck {}/{}", sums.not_struck, sums.rounds));
            let class = if sums.rounds_with(Finding::DidNotReturn) > 0 { "bad" } else { "" };
            let told = told.chain(not_struck).collect::<Vec<_>>().join(", ");
            let _ = write!(out, "<td class=\"{class}\">{told}");
        }
    }
    *out += "</tr>";
}

/// The figures of a line, and whether each is bad where it is not zero.
fn figures(sums: &Sums) -> [(u64, bool); 5] {
    let Sums { acked, lost, settled, again, again_unmarked, .. } = *sums;
    [(acked, false), (lost, true), (settled, false), (again, true), (again_unmarked, true)]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
