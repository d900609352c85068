using System.Net;
using System.Text;

namespace Penstock.Tools.Fetch;

/// <summary>What a person would read of an HTML page. It builds no document: one pass over the text, whatever its shape.</summary>
internal sealed class PageText
{
    private static readonly string[] Unread = ["script", "style", "noscript", "template", "svg", "title", "iframe", "object", "select", "textarea"];

    private static readonly string[] Blocks =
    [
        "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
        "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
    ];

    private readonly StringBuilder _text = new();
    private readonly string _html;
    private int _at;

    private PageText(string html) => _html = html;

    public static (string? Title, string Text) Read(string html)
    {
        var title = Between(html, "<title", "</title");
        return (title is null ? null : Tidy(WebUtility.HtmlDecode(title)).Replace('\n', ' '), new PageText(html).Read());
    }

    private string Read()
    {
        while (_at < _html.Length)
        {
            var tag = _html.IndexOf('<', _at);
            if (tag < 0) tag = _html.Length;
            _text.Append(_html, _at, tag - _at);
            _at = tag;
            if (_at < _html.Length) Tag();
        }

        return Tidy(WebUtility.HtmlDecode(_text.ToString()));
    }

    private void Tag()
    {
        if (Starts("<!--"))
        {
            Skip("-->");
            return;
        }

        var next = _at + 1 < _html.Length ? _html[_at + 1] : ' ';
        if (!char.IsAsciiLetter(next) && next is not ('/' or '!' or '?'))
        {
            // A sign, and no tag.
            _text.Append("&lt;");
            _at++;
            return;
        }

        var closing = next == '/';
        var name = Name(_at + (closing ? 2 : 1));
        _at = EndOfTag();
        if (!closing && Unread.Contains(name)) SkipTo("</" + name);
        else if (Blocks.Contains(name)) _text.Append('\n');
    }

    private string Name(int start)
    {
        var end = start;
        while (end < _html.Length && end - start < 16 && char.IsAsciiLetterOrDigit(_html[end])) end++;
        return _html[start..end].ToLowerInvariant();
    }

    /// <summary>Behind the <c>&gt;</c> that is in no quoted value.</summary>
    private int EndOfTag()
    {
        var quote = '\0';
        for (var i = _at + 1; i < _html.Length; i++)
        {
            var c = _html[i];
            if (quote != '\0')
            {
                if (c == quote) quote = '\0';
            }
            else if (c is '"' or '\'' && _html[i - 1] == '=')
            {
                quote = c;
            }
            else if (c == '>')
            {
                return i + 1;
            }
        }

        return _html.Length;
    }

    private bool Starts(string with) => string.CompareOrdinal(_html, _at, with, 0, with.Length) == 0;

    private void Skip(string past)
    {
        var end = _html.IndexOf(past, _at, StringComparison.Ordinal);
        _at = end < 0 ? _html.Length : end + past.Length;
    }

    private void SkipTo(string tag)
    {
        var end = _html.IndexOf(tag, _at, StringComparison.OrdinalIgnoreCase);
        _at = end < 0 ? _html.Length : end;
        if (end >= 0) _at = EndOfTag();
    }

    private static string? Between(string html, string open, string close)
    {
        var start = html.IndexOf(open, StringComparison.OrdinalIgnoreCase);
        var from = start < 0 ? -1 : html.IndexOf('>', start);
        var end = from < 0 ? -1 : html.IndexOf(close, from, StringComparison.OrdinalIgnoreCase);
        return end < 0 ? null : html[(from + 1)..end];
    }

    /// <summary>One blank between words, at most one empty line between paragraphs.</summary>
    private static string Tidy(string text)
    {
        var tidy = new StringBuilder(text.Length);
        var (blank, lines) = (false, 0);
        foreach (var c in text)
        {
            if (c == '\n') lines++;
            else if (char.IsWhiteSpace(c) || char.IsControl(c)) blank = true;
            else
            {
                if (tidy.Length > 0 && lines > 0) tidy.Append('\n', Math.Min(lines, 2));
                else if (tidy.Length > 0 && blank) tidy.Append(' ');
                (blank, lines) = (false, 0);
                tidy.Append(c);
            }
        }

        return tidy.ToString();
    }
}
