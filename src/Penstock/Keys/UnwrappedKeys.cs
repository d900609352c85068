using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Penstock.Keys;

/// <summary>
/// Data keys that a service unwrapped, for some minutes: a call asks the service for nothing. What the service no longer unwraps, because its key was disabled
/// there, opens for <see cref="Fresh"/> more. A service that fails is asked again after <see cref="Pause"/>.
/// </summary>
internal sealed partial class UnwrappedKeys(IMasterKeyService service, TimeProvider time, ILogger log)
{
    public static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(3);
    private const int Most = 10_000;

    private readonly ConcurrentDictionary<string, (byte[]? Key, long At)> _known = new();

    public byte[]? Find(SealedProviderKey key) => _known.TryGetValue(IdOf(key), out var known) && time.GetElapsedTime(known.At) < Fresh ? known.Key : null;

    /// <summary>So that <see cref="Find"/> has it for the calls to come. A failure is logged, and is for the call that needs the key to tell.</summary>
    public async Task PrepareAsync(SealedProviderKey key, CancellationToken ct)
    {
        var id = IdOf(key);
        // Anew a little before it is old, because it has to last until the call.
        if (_known.TryGetValue(id, out var known) && time.GetElapsedTime(known.At) < (known.Key is null ? Pause : Fresh - Pause)) return;
        if (_known.Count >= Most) _known.Clear();
        var at = time.GetTimestamp();
        using var limit = new CancellationTokenSource(LongestWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            _known[id] = (await service.UnwrapAsync(key.Name, key.WrappedKey, either.Token), at);
        }
        catch (Exception e) when (e is MasterKeyUnavailableException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            // One that is good still serves until it is old.
            if (Find(key) is null) _known[id] = (null, at);
            LogFailed(service.Name, key.Name.ToString(), e is MasterKeyUnavailableException ? e.Message : $"no answer within {LongestWait.TotalSeconds:0} s");
        }
    }

    /// <summary>The name is part of it: what was unwrapped for one opens nothing of another.</summary>
    private static string IdOf(SealedProviderKey key) => $"{key.Name.Tenant.Value.Length}.{key.Name}.{Convert.ToBase64String(key.WrappedKey.Span)}";

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Service} does not unwrap the stored provider key of {Name}: {Why}")]
    private partial void LogFailed(string service, string name, string why);
}
