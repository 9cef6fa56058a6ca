/** A badge for a launch link, in the three languages that READMEs are written in. */

const ALT = "Launch on Binder";

/** `{markdown, rst, html}` for `link`; the picture is the federation's own. */
export function makeBadges(siteUrl, link) {
  const image = `${siteUrl.replace(/\/+$/, "")}/badge_logo.svg`;
  return {
    markdown: `[![${ALT}](${image})](${escapeParentheses(link)})`,
    rst: `.. image:: ${image}\n   :target: ${link}\n   :alt: ${ALT}`,
    html: `<a href="${escapeHtml(link)}"><img src="${escapeHtml(image)}" alt="${ALT}"></a>`,
  };
}

/** Markdown ends a link's address at the first unescaped parenthesis. */
function escapeParentheses(link) {
  return link.replaceAll("(", "%28").replaceAll(")", "%29");
}

function escapeHtml(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
