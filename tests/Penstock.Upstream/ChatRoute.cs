using System.Buffers;
using System.Text.Json;

namespace Penstock.Upstream;

/// <summary>
/// Read → authenticate → check → misbehave as ordered → answer. The same for all vendors, so that a marker means the same at each.
/// </summary>
internal sealed class ChatRoute(IVendor vendor, Func<AgentTurn, AgentSays?>? agent = null)
{
    public async Task HandleAsync(Exchange exchange, ReadOnlyMemory<byte> body)
    {
        vendor.AddHeaders(exchange);
        try
        {
            // 1. What the vendor would refuse.
            vendor.Authenticate(exchange.Http.Request);
            using var document = Parse(body);
            var ask = vendor.Read(document.RootElement, exchange.Http.Request);
            exchange.Note(call => call with { Model = ask.Model.Name, Streamed = ask.Stream });

            // 2. What a marker orders instead of an answer.
            if (ask.Find("silent") is { After: null } silent) await exchange.WaitAsync(silent.Value(0, 3_000));
            if (await FailAsync(ask, exchange)) return;

            // 3. The answer.
            var says = agent?.Invoke(new AgentTurn(ask.RawText, ask.System, ask.Turns, ask.ToolResults, [.. ask.Tools.Select(tool => tool.Name)]));
            var answer = says is null ? Answer.To(ask) : Answer.Of(ask, says);
            if (ask.Stream) await StreamAsync(ask, answer, exchange);
            else await WholeAsync(ask, answer, exchange);
        }
        catch (VendorRefusal refusal)
        {
            await RefuseAsync(refusal, SeenOutcome.Refused, exchange);
        }
    }

    private JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document : throw vendor.NotJson();
        }
        catch (JsonException)
        {
            throw vendor.NotJson();
        }
    }

    private async Task<bool> FailAsync(Ask ask, Exchange exchange)
    {
        if (ask.Find("insufficient_quota") is { } quota)
        {
            await RefuseAsync(vendor.QuotaSpent(quota), SeenOutcome.Failed, exchange);
            return true;
        }

        if (Order(ask, exchange) is not { } order) return false;
        foreach (var name in (ReadOnlySpan<string>)["retry-after", "retry-after-ms", "x-should-retry"])
        {
            if (order.Options.TryGetValue(name, out var value)) exchange.Http.Response.Headers[name] = value;
        }

        var failure = vendor.Failure(order.Value(0, 500), ask.Model.Name);
        if (!order.Values.Contains("html")) await RefuseAsync(failure, SeenOutcome.Failed, exchange);
        else
        {
            // Closed before the bytes leave, so that whoever has the answer also finds it noted.
            exchange.Http.Response.StatusCode = failure.Status;
            exchange.Close(SeenOutcome.Failed);
            await exchange.SendAsync(failure.Status, "<html><body><h1>Bad gateway</h1></body></html>"u8.ToArray(), "text/html");
        }

        return true;
    }

    /// <summary>The failure that is ordered: always, or for so many of a hundred calls, spread by their numbers and not in a pattern.</summary>
    private static Marker? Order(Ask ask, Exchange exchange)
    {
        if (ask.Find("flaky") is not { } flaky) return ask.Find("status");
        var mixed = (ulong)exchange.Number * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        return (int)((mixed ^ (mixed >> 27)) % 100) < flaky.Option("percent", 50) ? flaky : null;
    }

    private async Task RefuseAsync(VendorRefusal refusal, SeenOutcome outcome, Exchange exchange)
    {
        vendor.Mark(refusal, exchange.Http.Response);
        exchange.Http.Response.StatusCode = refusal.Status;
        exchange.Close(outcome);
        await exchange.SendAsync(refusal.Status, vendor.Error(refusal, exchange.Number));
    }

    private async Task WholeAsync(Ask ask, Answer answer, Exchange exchange)
    {
        var billed = Billed(ask, answer.Steps.Count);
        exchange.Note(call => call with { Billed = billed });
        if (ask.Find("slow") is { } slow) await exchange.WaitAsync(slow.Option("ms", 20) * answer.Steps.Count);
        if (ask.Find("silent") is { After: not null } silent) await exchange.WaitAsync(silent.Value(0, 3_000));
        if (ask.Has("error-in-stream"))
        {
            await RefuseAsync(vendor.Failure(500, ask.Model.Name), SeenOutcome.Failed, exchange);
            return;
        }

        var usageSent = !ask.Has("no-usage");
        var body = vendor.Whole(ask, answer, usageSent ? billed : null, exchange);
        if (ask.Has("cut") || ask.Has("cut-eof") || ask.Has("malformed-chunk"))
        {
            await BreakAsync(ask, body, exchange);
            return;
        }

        exchange.Note(call => call with { FirstContentAt = exchange.Now });
        exchange.Close(SeenOutcome.Answered, billed, usageSent);
        await exchange.SendAsync(200, body);
    }

    private static async Task BreakAsync(Ask ask, byte[] body, Exchange exchange)
    {
        var half = body.AsMemory(0, body.Length / 2);
        if (!ask.Has("cut"))
        {
            exchange.Close(ask.Has("cut-eof") ? SeenOutcome.Cut : SeenOutcome.Failed);
            await exchange.SendAsync(200, half);
            return;
        }

        // The length promised is more than what comes.
        exchange.Http.Response.ContentType = "application/json";
        exchange.Http.Response.ContentLength = body.Length;
        await exchange.Http.Response.BodyWriter.WriteAsync(half, exchange.Gone);
        exchange.Drop(SeenOutcome.Cut);
    }

    private async Task StreamAsync(Ask ask, Answer answer, Exchange exchange)
    {
        var billed = Billed(ask, answer.Steps.Count);
        var writer = vendor.Stream(ask, answer, ask.Has("no-usage") ? null : billed, exchange);
        exchange.Http.Response.ContentType = vendor.StreamType;
        exchange.Http.Response.Headers.CacheControl = "no-cache";
        exchange.Note(call => call with { Billed = vendor.BillsOn ? billed : Billed(ask, 0) });
        await exchange.Http.Response.StartAsync(exchange.Gone);
        if (await OrderedAsync(ask, 0, writer, exchange)) return;

        await FlushAsync(writer.Start(), exchange);
        var pause = ask.Find("slow")?.Option("ms", 20) ?? 0;
        for (var sent = 0; sent < answer.Steps.Count; sent++)
        {
            if (sent > 0 && await OrderedAsync(ask, sent, writer, exchange)) return;
            await exchange.WaitAsync(pause);
            var sofar = vendor.BillsOn ? billed : Billed(ask, sent + 1);
            exchange.Note(call => call with { FirstContentAt = call.FirstContentAt ?? exchange.Now, Billed = sofar });
            await FlushAsync(writer.Step(answer.Steps[sent]), exchange);
            if (sent == 0 && ask.Has("unknown-event")) await FlushAsync(writer.Unknown(), exchange);
        }

        if (await OrderedAsync(ask, int.MaxValue, writer, exchange)) return;
        exchange.Close(SeenOutcome.Answered, billed, !ask.Has("no-usage"));
        await FlushAsync(writer.End(), exchange);
    }

    /// <summary>Does what markers order for when <paramref name="sent"/> tokens are out; true where that ended the answer.</summary>
    private static async Task<bool> OrderedAsync(Ask ask, int sent, IStreamWriter writer, Exchange exchange)
    {
        foreach (var marker in ask.Markers.Where(marker => IsDue(marker, sent, exchange)))
        {
            switch (marker.Name)
            {
                case "silent": await exchange.WaitAsync(marker.Value(0, 3_000)); break;
                case "malformed-chunk": await FlushAsync(writer.Malformed(), exchange); break;
                case "error-in-stream":
                    exchange.Close(SeenOutcome.Failed);
                    await FlushAsync(writer.Error(), exchange);
                    return true;
                case "cut-eof":
                    exchange.Close(SeenOutcome.Cut);
                    return true;
                case "cut":
                    exchange.Drop(SeenOutcome.Cut);
                    return true;
            }
        }

        return false;
    }

    /// <summary>A place past the end of the answer means its end, and so does none, but for a silence, which then came before the headers.</summary>
    private static bool IsDue(Marker marker, int sent, Exchange exchange)
    {
        if (marker.Name is not ("silent" or "malformed-chunk" or "error-in-stream" or "cut-eof" or "cut")) return false;
        var after = marker.After ?? (marker.Name == "silent" ? -1 : int.MaxValue);
        if (after < 0 || sent < after && sent != int.MaxValue) return false;
        return exchange.Http.Items.TryAdd(marker, true);
    }

    private static async Task FlushAsync(byte[] bytes, Exchange exchange)
    {
        exchange.Http.Response.BodyWriter.Write(bytes);
        await exchange.Http.Response.BodyWriter.FlushAsync(exchange.Gone);
    }

    private static BilledTokens Billed(Ask ask, int output) => ask.Has("zero-usage")
        ? default
        : new BilledTokens(
            ask.InputTokens,
            ask.Find("cached")?.Value(0, 100) ?? 0,
            ask.Find("cache-write")?.Value(0, 100) ?? 0,
            ask.Find("cache-write-1h")?.Value(0, 100) ?? 0,
            output,
            ask.Find("reasoning")?.Value(0, 50) ?? 0);
}
