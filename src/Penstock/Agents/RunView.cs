using System.Text.Json;

namespace Penstock.Agents;

/// <summary>Runs as clients see them.</summary>
internal static class RunView
{
    /// <summary>What is known without the journal.</summary>
    public static void WriteHead(Utf8JsonWriter json, RunRecord run, int? place)
    {
        json.WriteString("id", run.Id.Value);
        json.WriteString("status", RunNames.Of(run.Status));
        json.WriteString("type", run.Agent);
        json.WriteString("version", run.Version);
        json.WriteString("hash", run.Hash);
        json.WriteString("project", run.Project.Value);
        json.WriteString("key", run.Key.Value);
        RunJson.WriteOptional(json, "conversation", run.Conversation);
        RunJson.WriteOptional(json, "user", run.EndUser);
        RunJson.WriteOptional(json, "parent", run.Parent?.Value);
        json.WriteNumber("limitUsd", run.Limit.Usd);
        json.WriteString("createdAt", run.CreatedAt);
        RunJson.WriteOptional(json, "endedAt", run.EndedAt);
        RunJson.WriteOptional(json, "waitsFor", run.WaitsFor);
        if (run.Status == RunStatus.Waiting) RunJson.WriteOptional(json, "wakeAt", run.WakeAt);
        if (place is { } position) json.WriteNumber("position", position);
        json.WriteNumber("modelCalls", run.Steps);
        json.WriteNumber("entries", run.NextSeq);
        json.WriteBoolean("cancelRequested", run.CancelRequested);
        json.WriteString("url", $"/v1/agents/runs/{run.Id}");
    }

    /// <summary>What it came to: output, steps, use and cost.</summary>
    public static void WriteResult(Utf8JsonWriter json, RunRecord run, RunTrace trace)
    {
        if (run.Ended)
        {
            RunJson.WriteRaw(json, "output", trace.Output ?? "null");
            if ((trace.Error ?? (run.Error is { } code ? (code, "") : null)) is { } error) WriteError(json, error);
        }

        json.WriteStartArray("steps");
        foreach (var step in trace.Steps) Write(json, step);
        json.WriteEndArray();
        if (trace.Omitted > 0) json.WriteNumber("stepsOmitted", trace.Omitted);
        json.WriteStartObject("usage");
        json.WriteNumber("modelCalls", trace.ModelCalls);
        json.WriteNumber("toolCalls", trace.ToolCalls);
        json.WriteNumber("inputTokens", trace.InputTokens);
        json.WriteNumber("outputTokens", trace.OutputTokens);
        json.WriteNumber("totalTokens", trace.InputTokens + trace.OutputTokens);
        json.WriteEndObject();
        json.WriteNumber("cost", trace.Cost.Usd);
    }

    /// <summary>What it waits for now, with what answers it.</summary>
    public static void WriteWaiting(Utf8JsonWriter json, RunRecord run, RunTrace trace)
    {
        json.WriteStartArray("waiting");
        foreach (var step in run.Ended ? [] : trace.Waiting)
        {
            json.WriteStartObject();
            json.WriteString("kind", step.Kind);
            RunJson.WriteOptional(json, "call", step.Call);
            RunJson.WriteOptional(json, "name", step.Name);
            RunJson.WriteOptional(json, "run", step.Child);
            WriteShown(json, "arguments", step.Arguments);
            json.WriteString("since", step.StartedAt);
            RunJson.WriteOptional(json, step.Kind == "timer" ? "until" : "expiresAt", step.ExpiresAt);
            if (step.Kind == "approval") json.WriteString("answerAt", $"/v1/agents/runs/{run.Id}/approvals/{Uri.EscapeDataString(step.Call!)}");
            if (step.Kind == "outcome") json.WriteString("answerAt", $"/v1/agents/runs/{run.Id}/outcomes/{Uri.EscapeDataString(step.Call!)}");
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>The runs below it; a tree is as deep as their definitions allow.</summary>
    public static void WriteTree(Utf8JsonWriter json, IReadOnlyList<RunTree> children)
    {
        json.WriteStartArray("children");
        foreach (var child in children)
        {
            json.WriteStartObject();
            json.WriteString("id", child.Run.Id.Value);
            json.WriteString("type", child.Run.Agent);
            json.WriteString("status", RunNames.Of(child.Run.Status));
            json.WriteString("createdAt", child.Run.CreatedAt);
            RunJson.WriteOptional(json, "endedAt", child.Run.EndedAt);
            json.WriteNumber("modelCalls", child.Run.Steps);
            WriteTree(json, child.Children);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, RunStep step)
    {
        json.WriteStartObject();
        json.WriteString("id", step.Id);
        json.WriteString("kind", step.Kind);
        json.WriteNumber("seq", step.Seq);
        RunJson.WriteOptional(json, "parent", step.Parent);
        RunJson.WriteOptional(json, "name", step.Name);
        RunJson.WriteOptional(json, "call", step.Call);
        json.WriteString("startedAt", step.StartedAt);
        RunJson.WriteOptional(json, "endedAt", step.EndedAt);
        json.WriteString("outcome", step.Outcome ?? "open");
        if (step.Kind is "model" or "summary" or "tool") json.WriteNumber("attempts", step.Attempts);
        RunJson.WriteOptional(json, "effect", step.Effect);
        RunJson.WriteOptional(json, "provider", step.Provider);
        if (step.Kind is "model" or "summary")
        {
            json.WriteNumber("inputTokens", step.InputTokens);
            json.WriteNumber("outputTokens", step.OutputTokens);
        }

        if (step.Kind is "model" or "summary" or "tool" or "child") json.WriteNumber("cost", step.Cost.Usd);
        WriteShown(json, "arguments", step.Arguments);
        RunJson.WriteOptional(json, "text", step.Text);
        WriteShown(json, "output", step.Output);
        if (step.Error is { } error) WriteError(json, error);
        RunJson.WriteOptional(json, "run", step.Child);
        RunJson.WriteOptional(json, "by", step.By);
        RunJson.WriteOptional(json, step.Kind == "timer" ? "until" : "expiresAt", step.ExpiresAt);
        json.WriteEndObject();
    }

    /// <summary>What was cut is no JSON any more, and stands as text under another name.</summary>
    private static void WriteShown(Utf8JsonWriter json, string name, Shown? value)
    {
        if (value is not { } shown) return;
        if (shown.IsJson) RunJson.WriteRaw(json, name, shown.Text);
        else json.WriteString(name + "Text", shown.Text);
    }

    private static void WriteError(Utf8JsonWriter json, (string Code, string Message) error)
    {
        json.WriteStartObject("error");
        json.WriteString("code", error.Code);
        json.WriteString("message", error.Message);
        json.WriteEndObject();
    }
}

/// <summary>A run and those below it.</summary>
internal sealed record RunTree(RunRecord Run, IReadOnlyList<RunTree> Children);
