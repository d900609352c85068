namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>Sees where a JSON object or array that arrives in pieces ends, without parsing it.</summary>
internal sealed class JsonEnd
{
    private int _depth;
    private bool _inText;
    private bool _escaped;

    public bool Complete { get; private set; }

    public void Read(ReadOnlySpan<char> piece)
    {
        foreach (var character in piece)
        {
            if (_inText) ReadText(character);
            else ReadOutside(character);
        }
    }

    private void ReadText(char character)
    {
        if (_escaped) _escaped = false;
        else if (character == '\\') _escaped = true;
        else if (character == '"') _inText = false;
    }

    private void ReadOutside(char character)
    {
        switch (character)
        {
            case '"':
                _inText = true;
                break;
            case '{' or '[':
                _depth++;
                break;
            case '}' or ']':
                Complete |= --_depth == 0;
                break;
        }
    }
}
