using System.Text.Json;

namespace Penstock.Jobs;

/// <summary>Jobs as clients see them.</summary>
internal static class JobView
{
    public static void WriteHead(Utf8JsonWriter json, JobRecord job)
    {
        json.WriteString("id", job.Id.Value);
        json.WriteString("state", JobNames.Of(job.State));
        json.WriteString("path", job.Path);
        json.WriteNumber("attempts", job.Attempts);
        json.WriteNumber("cost", job.Cost.Usd);
        json.WriteString("createdAt", job.CreatedAt);
        json.WriteString("updatedAt", job.UpdatedAt);
        if (job.EndedAt is { } ended) json.WriteString("endedAt", ended);
        if (job.KeepUntil is { } keep) json.WriteString("keepUntil", keep);
        if (job.Status is { } status) json.WriteNumber("status", status);
        if (job.ErrorCode is not null)
        {
            json.WriteStartObject("error");
            json.WriteString("code", job.ErrorCode);
            json.WriteString("message", job.Error);
            json.WriteEndObject();
        }

        if (job.Webhook is null) return;
        json.WriteStartObject("webhook");
        json.WriteString("url", job.Webhook);
        json.WriteString("delivery", JobNames.Of(job.Hook));
        json.WriteEndObject();
    }

    /// <summary>The answer as the route gave it: JSON as it is, anything else as a text.</summary>
    public static void WriteResult(Utf8JsonWriter json, JobRecord job, ReadOnlyMemory<byte> result)
    {
        json.WritePropertyName("result");
        if (job.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) == true) json.WriteRawValue(result.Span, skipInputValidation: true);
        else json.WriteStringValue(result.Span);
    }
}
