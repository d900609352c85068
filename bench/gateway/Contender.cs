namespace Penstock.Bench.Gateway;

/// <summary>Something that answers the sample call: the stand-in itself, or a gateway before it.</summary>
/// <param name="Model">As it is named there, for whole answers and for streams.</param>
/// <param name="StreamPort">Where streams are asked for; most often the same.</param>
internal sealed record Contender(string Name, int Port, Running? Process, (string Whole, string Stream) Model, int StreamPort)
{
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, string>> StreamHeaders { get; init; } = [];
}
