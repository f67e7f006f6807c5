import { DOMImplementation, type Element, XMLSerializer } from '@xmldom/xmldom';

/** An element of a document to be: its name, its attributes (undefined: left out), and elements or one text in it. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  readonly content: readonly XmlElement[] | string;
}

/** What may stand where an element may. Nothing makes nothing. */
export type XmlChild = XmlElement | undefined;

/** An element. */
export function xml(
  name: string,
  attributes: XmlElement['attributes'] = {},
  content: readonly XmlChild[] | string | number = [],
): XmlElement {
  const kept = typeof content === 'object' ? content.filter((child) => child !== undefined) : String(content);
  return { name, attributes, content: kept };
}

/**
 * The text of a document. All that XML gives a meaning is escaped.
 *
 * @throws DOMException for what no XML document can hold, such as control characters.
 */
export function xmlText(root: XmlElement): string {
  const document = new DOMImplementation().createDocument(null, root.name);
  const fill = (element: Element, { attributes, content }: XmlElement): void => {
    for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, String(value));
    if (typeof content === 'string') {
      element.appendChild(document.createTextNode(content));
      return;
    }
    for (const child of content) {
      const made = document.createElement(child.name);
      element.appendChild(made);
      fill(made, child);
    }
  };
  if (document.documentElement !== null) fill(document.documentElement, root);
  return new XMLSerializer().serializeToString(document, { requireWellFormed: true });
}
