using System.Text;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>
/// Writes a growing answer for those who watch the run, a few times a second. All of it is stored before the answer itself is, so that the order of what is
/// shown is the order of its numbers.
/// </summary>
internal sealed class RunChunks(IRunStore store, RunRecord run, long intent, long op, RunSignals signals, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);
    private static readonly TimeSpan WriteTime = TimeSpan.FromSeconds(10);

    /// <summary>Characters of a piece: an answer that comes at once is no larger than a store takes.</summary>
    private const int LongestText = 10_000;

    private const int MostAtOnce = 40;

    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();
    private readonly List<string> _waiting = [];
    private int _sub;

    /// <summary>Takes what is new of the answer.</summary>
    public void Watch(ProviderFrame frame)
    {
        lock (_lock)
        {
            foreach (var update in frame.Updates) Add(update);
        }
    }

    /// <summary>Writes until <paramref name="answered"/> is over, and then what is left. Throws <see cref="FencedException"/> where another owner has the run.</summary>
    public async Task WriteUntilAsync(Task answered)
    {
        while (!answered.IsCompleted)
        {
            await Task.WhenAny(answered, Task.Delay(Pause, time));
            await WriteAsync();
        }
    }

    private void Add(ChatUpdate update)
    {
        switch (update)
        {
            case TextDelta { Choice: 0 } delta:
                _text.Append(delta.Text);
                break;
            case ToolCallStarted { Choice: 0 } started:
                EndText();
                _waiting.Add(Body(json =>
                {
                    json.WriteNumber("index", started.Index);
                    json.WriteString("name", started.Name);
                }));
                break;
        }
    }

    private async Task WriteAsync()
    {
        RunChunk[] chunks;
        lock (_lock)
        {
            EndText();
            chunks = [.. _waiting.Select(body => new RunChunk(intent, ++_sub, time.GetUtcNow(), body))];
            _waiting.Clear();
        }

        // One write after the other: where one fails there is none behind it, and nothing is missing before what is there.
        foreach (var some in chunks.Chunk(MostAtOnce))
        {
            using var limit = new CancellationTokenSource(WriteTime, time);
            if (!await store.AddChunksAsync(run.Tenant, run.Id, run.Epoch, some, limit.Token)) throw new FencedException(run.Id);
            signals.Changed(run.Id);
        }
    }

    private void EndText()
    {
        if (_text.Length == 0) return;
        var text = _text.ToString();
        _text.Clear();
        for (var at = 0; at < text.Length;)
        {
            var length = Math.Min(LongestText, text.Length - at);
            if (length > 1 && char.IsHighSurrogate(text[at + length - 1]) && at + length < text.Length) length--;
            var piece = text.Substring(at, length);
            _waiting.Add(Body(json => json.WriteString("text", piece)));
            at += length;
        }
    }

    private string Body(Action<Utf8JsonWriter> members) => JsonOutput.Of(json =>
    {
        json.WriteNumber("op", op);
        members(json);
    }).GetRawText();
}
