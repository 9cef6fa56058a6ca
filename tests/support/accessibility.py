"""What can be checked of a page's accessibility by looking at it: contrast, names, width."""

from playwright.async_api import Page

LEAST_CONTRAST = 4.5

LOW_CONTRAST = """(least) => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => {
    const mix = (name) => top[name] * top.a + under[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const ground = (element) => {
    if (!element) return { r: 255, g: 255, b: 255, a: 1 };
    const own = parse(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own : over(own, ground(element.parentElement));
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const hasText = (element) => [...element.childNodes].some(
    (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((element) => hasText(element) && element.checkVisibility() && !element.disabled)
    .map((element) => {
      const under = ground(element);
      const [a, b] = [light(over(parse(getComputedStyle(element).color), under)), light(under)];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return [`${element.tagName} ${element.textContent.trim().slice(0, 40)}`, contrast];
    })
    .filter(([, contrast]) => contrast < least)
    .map(([name, contrast]) => `${name}: ${contrast.toFixed(2)}`);
}"""

NAMELESS = """() => [...document.querySelectorAll("input, select, button, a[href], pre[tabindex]")]
  .filter((element) => !(element.labels?.length || element.ariaLabel
    || element.getAttribute("aria-labelledby") || element.textContent.trim()
    || element.querySelector("img[alt]:not([alt=''])")))
  .map((element) => element.outerHTML)"""

SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def find_barriers(page: Page) -> list[str]:
    """What stands in somebody's way on `page` as it is now; empty is good."""
    low = [f"low contrast: {name}" for name in await page.evaluate(LOW_CONTRAST, LEAST_CONTRAST)]
    nameless = [f"no name: {html}" for html in await page.evaluate(NAMELESS)]
    sideways = await page.evaluate(SIDEWAYS)
    wide = [f"{sideways} px wider than the window"] if sideways > 0 else []
    return [*low, *nameless, *wide]
