using System.Text.Json;

namespace Penstock.Lambda.Events;

/// <summary>
/// A schedule of EventBridge is the clock of what a server does between requests: expired holds are settled, and what is past its time is dropped. A message of
/// the kind <c>upkeep</c> asks for the same. Where a server or a worker runs beside the functions, it does it by itself.
/// </summary>
internal sealed partial class Upkeep(IServiceProvider services, ILogger<Upkeep> log) : IEventHandler<BusEvent>, IEventHandler<QueueMessage>
{
    private const string Kind = "upkeep";

    public bool Takes(BusEvent happened) => happened is { Source: "aws.events" or "aws.scheduler", DetailType: "Scheduled Event" };

    public Task HandleAsync(BusEvent happened, CancellationToken ct) => RunAsync(ct);

    public bool Takes(QueueMessage happened)
    {
        try
        {
            using var body = JsonDocument.Parse(happened.Body);
            return body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty("kind", out var kind) && kind.ValueEquals(Kind);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    public Task HandleAsync(QueueMessage happened, CancellationToken ct) => RunAsync(ct);

    private async Task RunAsync(CancellationToken ct)
    {
        var done = await services.RunUpkeepAsync(ct);
        LogDone(done);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "upkeep is done: {Parts} parts")]
    private partial void LogDone(int parts);
}
