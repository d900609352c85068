using Microsoft.Extensions.Logging;

namespace Penstock.Gateway.Routing;

/// <summary>
/// The platform's keys as their source last gave them. A read that fails, and a vendor that is left out or whose key no header may hold, changes nothing: the
/// last good key serves on, and the log says so, every few minutes.
/// </summary>
internal sealed partial class PlatformKeys(IEnumerable<IPlatformKeySource> sources, TimeProvider time, ILogger<PlatformKeys> log)
{
    public static readonly IReadOnlyList<string> Vendors = ["openai", "anthropic"];

    /// <summary>So that a rotated key is used within a minute, also where one read has to wait.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan LongestRead = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SaidAgain = TimeSpan.FromMinutes(5);

    private readonly IPlatformKeySource? _source = sources.LastOrDefault();
    private readonly Dictionary<string, long> _said = [];
    private IReadOnlyDictionary<string, string> _keys = new Dictionary<string, string>();

    /// <summary>Whether keys may come from elsewhere than the configuration.</summary>
    public bool HasSource => _source is not null;

    public string? Of(string vendor) => Volatile.Read(ref _keys).GetValueOrDefault(vendor);

    /// <summary>Reads all again; true where one changed. Called by one at a time.</summary>
    public async Task<bool> ReadAsync(CancellationToken ct)
    {
        if (_source is null) return false;
        using var limit = new CancellationTokenSource(LongestRead, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            return Take(await _source.ReadAsync(Vendors, either.Token));
        }
        catch (PlatformKeysUnreadableException e)
        {
            if (IsNews("")) LogUnreadable(_source.Name, e.Message);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            if (IsNews("")) LogUnreadable(_source.Name, $"no answer within {LongestRead.TotalSeconds:0} s");
        }

        return false;
    }

    private bool Take(IReadOnlyDictionary<string, string> read)
    {
        _said.Remove("");
        var (was, now, changed) = (_keys, new Dictionary<string, string>(_keys), false);
        foreach (var vendor in Vendors)
        {
            if (!read.TryGetValue(vendor, out var key))
            {
                if (was.ContainsKey(vendor) && IsNews(vendor)) LogGone(_source!.Name, vendor);
            }
            else if (key.Length == 0 || key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            {
                if (IsNews(vendor)) LogUnfit(_source!.Name, vendor);
            }
            else
            {
                _said.Remove(vendor);
                if (was.GetValueOrDefault(vendor) == key) continue;
                now[vendor] = key;
                changed = true;
                LogTaken(_source!.Name, vendor);
            }
        }

        if (changed) Volatile.Write(ref _keys, now);
        return changed;
    }

    private bool IsNews(string what)
    {
        if (_said.TryGetValue(what, out var at) && time.GetElapsedTime(at) < SaidAgain) return false;
        _said[what] = time.GetTimestamp();
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Took a new key of {Vendor} from {Source}")]
    private partial void LogTaken(string source, string vendor);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The provider keys in {Source} cannot be read: {Why} The last good ones serve on")]
    private partial void LogUnreadable(string source, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The key of {Vendor} is no longer in {Source}. The last good one serves on")]
    private partial void LogGone(string source, string vendor);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The key of {Vendor} in {Source} is empty, or holds a blank or a character that no HTTP header may hold. The last good one serves on")]
    private partial void LogUnfit(string source, string vendor);
}
