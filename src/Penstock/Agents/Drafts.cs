using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>An entry that is not written yet: the journal gives it its number and its time.</summary>
/// <param name="Body">As it is written.</param>
internal readonly record struct Draft(string Kind, string Body)
{
    /// <summary>The body with what was too large for the journal; null where nothing was.</summary>
    public string? Whole { get; init; }
}

/// <summary>Entries as <see cref="JournalKinds"/> describes them.</summary>
internal static class Drafts
{
    /// <summary>Longest arguments of a call that are journaled, in UTF-16 units; what is longer is cut, and says so.</summary>
    private const int LongestArguments = 200_000;

    /// <summary>UTF-8 bytes of an answer's entry without its text.</summary>
    private const int MostBeside = JournalEntry.LargestBody - 50_000;

    private const int LongestMessage = 4_000;

    public static Draft ModelIntent(long op, int attempt, string model, bool summarises) => Of(JournalKinds.ModelIntent, json =>
    {
        json.WriteNumber("op", op);
        json.WriteNumber("attempt", attempt);
        json.WriteString("model", model);
        if (summarises) json.WriteString("purpose", "summary");
    });

    /// <summary>Arguments are cut until the calls fit; the text is whole.</summary>
    public static Draft ModelResult(long op, ModelAnswer answer)
    {
        var longest = LongestArguments;
        while (Encoding.UTF8.GetByteCount(ModelResult(op, answer, "", longest).Body) > MostBeside && longest >= 100) longest /= 2;
        return ModelResult(op, answer, answer.Text, longest);
    }

    private static Draft ModelResult(long op, ModelAnswer answer, string text, int longest) => Of(JournalKinds.ModelResult, json =>
    {
        json.WriteNumber("op", op);
        json.WriteString("text", text);
        json.WriteStartArray("calls");
        foreach (var call in answer.Calls)
        {
            json.WriteStartObject();
            json.WriteString("id", call.Id);
            json.WriteString("name", call.Name);
            json.WriteString("arguments", Cut(call.Arguments, longest));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Parts(json, answer.Thought);
        json.WriteString("finish", answer.Finish);
        Answered(json, answer);
    });

    public static Draft Summary(long op, long to, ModelAnswer answer) => Of(JournalKinds.Summary, json =>
    {
        json.WriteNumber("op", op);
        json.WriteNumber("to", to);
        json.WriteString("text", answer.Text);
        Answered(json, answer);
    });

    public static Draft ModelFailed(long op, int attempt, Refusal refusal, bool retry) => Of(JournalKinds.ModelFailed, json =>
    {
        json.WriteNumber("op", op);
        json.WriteNumber("attempt", attempt);
        Failure(json, refusal.Code, refusal.Message, retry);
    });

    public static Draft ModelLost(long op, int attempt) => Of(JournalKinds.ModelLost, json =>
    {
        json.WriteNumber("op", op);
        json.WriteNumber("attempt", attempt);
    });

    public static Draft AnswerUnfit(string message) => Of(JournalKinds.AnswerUnfit, json => json.WriteString("message", Cut(message, LongestMessage)));

    public static Draft ToolIntent(ToolTurn call, ToolEffect effect, string key) => Of(JournalKinds.ToolIntent, json =>
    {
        Call(json, call);
        json.WriteString("effect", ToolNames.Of(effect));
        json.WriteNumber("attempt", call.Attempt + 1);
        json.WriteString("key", key);
    });

    public static Draft ToolResult(ToolTurn call, string output, Money cost, TimeSpan latency) => Of(JournalKinds.ToolResult, json =>
    {
        Call(json, call);
        json.WriteString("output", output);
        json.WriteNumber("cost", cost.Usd);
        json.WriteNumber("latencyMs", Math.Round(latency.TotalMilliseconds, 1));
    });

    public static Draft ToolFailed(ToolTurn call, string code, string message, bool retry) => Of(JournalKinds.ToolFailed, json =>
    {
        Call(json, call);
        json.WriteNumber("attempt", call.Attempt);
        Failure(json, code, message, retry);
    });

    /// <param name="reconcile">Why the tool could not say; null where it was not asked, or could.</param>
    public static Draft ToolUnknown(ToolTurn call, DateTimeOffset expiresAt, string? reconcile = null) => Of(JournalKinds.ToolUnknown, json =>
    {
        Call(json, call);
        json.WriteNumber("attempt", call.Attempt);
        json.WriteString("expiresAt", expiresAt);
        RunJson.WriteOptional(json, "reconcile", reconcile);
    });

    /// <summary>What the tool itself said of its call.</summary>
    public static Draft Reconciled(ToolTurn call, bool happened, string? output) => Of(JournalKinds.OutcomeDecided, json =>
    {
        json.WriteString("call", call.Id);
        json.WriteBoolean("done", happened);
        RunJson.WriteOptional(json, "output", output);
        json.WriteString("by", "reconcile");
    });

    public static Draft ApprovalRequested(ToolTurn call, DateTimeOffset expiresAt, bool approveOnExpiry) => Of(JournalKinds.ApprovalRequested, json =>
    {
        Call(json, call);
        json.WriteString("arguments", call.Arguments);
        json.WriteString("expiresAt", expiresAt);
        json.WriteString("onExpire", approveOnExpiry ? "approve" : "reject");
    });

    /// <summary>Nobody decided in time.</summary>
    public static Draft ApprovalExpired(ToolTurn call) => Of(JournalKinds.ApprovalDecided, json =>
    {
        json.WriteString("call", call.Id);
        json.WriteBoolean("approved", call.ApproveOnExpiry);
        json.WriteNull("by");
        json.WriteString("reason", "nobody decided in time");
    });

    public static Draft TimerSet(ToolTurn call, DateTimeOffset until) => Of(JournalKinds.TimerSet, json =>
    {
        Call(json, call);
        json.WriteString("until", until);
    });

    public static Draft ChildStarted(ToolTurn call, RunId run, string agent) => Of(JournalKinds.ChildStarted, json =>
    {
        Call(json, call);
        json.WriteString("run", run.Value);
        json.WriteString("agent", agent);
    });

    public static Draft ChildEnded(ToolTurn call, RunRecord child, JsonElement ended) => Of(JournalKinds.ChildEnded, json =>
    {
        Call(json, call);
        json.WriteString("run", child.Id.Value);
        json.WriteString("status", RunNames.Of(child.Status));
        if (ended.TryGetProperty("output", out var output)) json.WriteString("output", output.ValueKind == JsonValueKind.String ? output.GetString()! : output.GetRawText());
        if (ended.TryGetProperty("error", out var error)) json.WriteString("error", error.GetProperty("message").GetString());
        json.WriteNumber("cost", ended.GetProperty("cost").GetDecimal());
    });

    public static Draft Remembered(IReadOnlyList<ThreadMessage> messages, IReadOnlyList<string> facts) => Of(JournalKinds.Remembered, json =>
    {
        json.WriteStartArray("messages");
        foreach (var message in messages)
        {
            json.WriteStartObject();
            json.WriteString("role", message.Role);
            json.WriteString("text", message.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("facts");
        foreach (var fact in facts) json.WriteStringValue(fact);
        json.WriteEndArray();
    });

    public static Draft Redriven(string? by) => Of(JournalKinds.Redriven, json => json.WriteString("by", by));

    /// <summary>As the inbox item has it: the bodies are the same.</summary>
    public static Draft FromInbox(string kind, InboxItem item) => new(kind, item.Body);

    public static Draft SignalFrom(InboxItem item) => Of(JournalKinds.Signal, json =>
    {
        json.WriteString("id", item.Id);
        using var body = JsonDocument.Parse(item.Body);
        foreach (var member in body.RootElement.EnumerateObject().Where(member => member.Name != "id")) member.WriteTo(json);
    });

    public static Draft Ended(RunStatus status, RunState state, JsonElement? output, Refusal? error) => Of(JournalKinds.Ended, json =>
    {
        json.WriteString("status", RunNames.Of(status));
        if (output is { } given)
        {
            json.WritePropertyName("output");
            given.WriteTo(json);
        }

        if (error is not null)
        {
            json.WriteStartObject("error");
            json.WriteString("code", error.Code);
            json.WriteString("message", Cut(error.Message, LongestMessage));
            json.WriteEndObject();
        }

        json.WriteNumber("cost", state.Cost.Usd);
        json.WriteNumber("steps", state.Steps);
    });

    public static string Cut(string text, int longest)
    {
        if (text.Length <= longest) return text;
        var end = char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest;
        return string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, end)}\n[cut here: {text.Length - end} of {text.Length} characters are not shown]");
    }

    private static void Call(Utf8JsonWriter json, ToolTurn call)
    {
        json.WriteString("call", call.Id);
        json.WriteString("name", call.Name);
    }

    private static void Failure(Utf8JsonWriter json, string code, string message, bool retry)
    {
        json.WriteString("code", code);
        json.WriteString("message", Cut(message, LongestMessage));
        json.WriteBoolean("retry", retry);
    }

    private static void Answered(Utf8JsonWriter json, ModelAnswer answer)
    {
        json.WriteString("model", answer.Model);
        json.WriteString("provider", answer.Provider);
        json.WriteNumber("inputTokens", answer.Receipt.Tokens.TotalInput);
        json.WriteNumber("outputTokens", answer.Receipt.Tokens.TotalOutput);
        json.WriteNumber("cost", answer.Receipt.Cost.Usd);
        json.WriteNumber("latencyMs", answer.Receipt.LatencyMs);
    }

    /// <summary>What must go back to the same model unchanged.</summary>
    private static void Parts(Utf8JsonWriter json, IReadOnlyList<ChatPart> thought)
    {
        if (thought.Count == 0) return;
        json.WriteStartArray("parts");
        foreach (var part in thought)
        {
            json.WriteStartObject();
            if (part is ThinkingPart thinking)
            {
                json.WriteString("thinking", thinking.Text);
                json.WriteString("signature", thinking.Signature);
            }
            else if (part is RedactedThinkingPart redacted)
            {
                json.WriteString("redacted", redacted.Data);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static Draft Of(string kind, Action<Utf8JsonWriter> members)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(bytes, Json.Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return new Draft(kind, Encoding.UTF8.GetString(bytes.WrittenSpan));
    }
}

/// <summary>What a model answered, booked.</summary>
/// <param name="Thought">Reasoning with its signatures.</param>
internal sealed record ModelAnswer(string Text, IReadOnlyList<ToolCallPart> Calls, IReadOnlyList<ChatPart> Thought, string Finish, string Model, string Provider, Receipt Receipt);
