using Microsoft.Extensions.Logging;
using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>
/// The master keys of this server: the one that seals, and those of before, which still open. They come from the environment. On a laptop, where nobody set
/// one, the first provider key to be stored makes one in a file of its own beside the database; a server that others share, or one in production, makes
/// none: its nodes must agree, and its backups must not hold key and lock together.
/// </summary>
internal sealed partial class MasterKeys
{
    public const string FileName = "master.key";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock _making = new();
    private readonly MasterKey? _given;
    private readonly List<MasterKey> _old;
    private readonly string? _file;
    private readonly bool _mayMake;
    private readonly ILogger<MasterKeys> _log;
    private readonly IMasterKeyService? _service;
    private readonly UnwrappedKeys? _unwrapped;
    private MasterKey? _kept;

    /// <param name="service">Seals in the place of a key of this server's own, which still opens what it sealed before.</param>
    public MasterKeys(EnvironmentKeys environment, ILogger<MasterKeys> log, IMasterKeyService? service = null, TimeProvider? time = null)
    {
        (_log, _service) = (log, service);
        if (service is not null) _unwrapped = new UnwrappedKeys(service, time ?? TimeProvider.System, log);
        _given = environment.MasterKey is { } bytes ? new MasterKey(bytes.Span) : null;
        _old = [.. environment.OldMasterKeys.Select(old => new MasterKey(old.Span))];
        _file = environment.Store == StoreKind.Sqlite ? Path.Combine(environment.DataFolder, FileName) : null;
        _mayMake = _file is not null && environment.Platform == PlatformEnvironment.Development;
    }

    /// <summary>By its id, for who operates this server.</summary>
    public string Describe()
    {
        if (_service is not null) return _service.Name;
        if (_given is not null) return $"{_given.Id} (PENSTOCK_MASTER_KEY)";
        if (_file is not null && File.Exists(_file)) return $"in {FileName} in the data folder";
        return _mayMake ? $"none yet; the first provider key that is stored makes {FileName} in the data folder" : "none: no provider key can be stored without PENSTOCK_MASTER_KEY";
    }

    /// <summary>Throws 503 where there is no master key and none may be made, or where it is a service's and that does not answer.</summary>
    public async Task<SealedProviderKey> SealAsync(ProviderKeyName name, string text, DateTimeOffset at, CancellationToken ct)
    {
        if (_service is null) return SealedProviderKey.Seal(ToSeal(), name, text, at);
        return SealedProviderKey.Seal(await AskAsync(service => service.MakeAsync(name, ct)), name, text, at);
    }

    /// <summary>The same under the master key of now; null where no master key of this server opens it.</summary>
    public async Task<SealedProviderKey?> RewrapAsync(SealedProviderKey was, CancellationToken ct)
    {
        var from = Find(was.MasterKey);
        if (_service is null) return from is null ? null : was.Rewrap(from, ToSeal());
        var dataKey = from is not null ? was.Unwrap(from)
            : _service.Knows(was.MasterKey) ? await AskAsync(service => service.UnwrapAsync(was.Name, was.WrappedKey, ct))
            : null;
        if (dataKey is null) return null;
        var wrapped = await AskAsync(service => service.WrapAsync(was.Name, dataKey, ct));
        return was with { MasterKey = wrapped.MasterKey, WrappedKey = wrapped.Wrapped };
    }

    /// <summary>So that <see cref="Open"/> waits for nothing in the calls to come.</summary>
    public async Task PrepareAsync(IReadOnlyList<SealedProviderKey> keys, CancellationToken ct)
    {
        if (_service is null || _unwrapped is null) return;
        foreach (var key in keys)
        {
            if (_service.Knows(key.MasterKey)) await _unwrapped.PrepareAsync(key, ct);
        }
    }

    /// <summary>Id of the master key that seals; null where a service seals, which chooses for itself.</summary>
    public string? IdToSeal() => _service is null ? ToSeal().Id : null;

    /// <summary>Throws 503 where there is none and none may be made.</summary>
    public MasterKey ToSeal()
    {
        if (_given is not null) return _given;
        if (Kept(make: _mayMake) is { } kept) return kept;
        throw new RefusedException(new Refusal(RefusalKind.Unavailable, "no_master_key", "This server has no master key, so it can store no provider key. Its operator sets PENSTOCK_MASTER_KEY (openssl rand -base64 32).") { Retryable = false });
    }

    /// <summary>Null where this server does not have it.</summary>
    public MasterKey? Find(string id) => All().FirstOrDefault(key => key.Id == id);

    /// <summary>
    /// The key stored for the caller at this provider; null where there is none. Throws 503 where there is one and no master key opens it: the platform does not
    /// pay in its place.
    /// </summary>
    public string? Open(Caller caller, string provider)
    {
        foreach (var key in caller.ProviderKeys)
        {
            if (key.Name.Provider == provider) return OpenSealed(key) ?? throw Unopened(key);
        }

        return null;
    }

    private string? OpenSealed(SealedProviderKey key)
    {
        if (_unwrapped?.Find(key) is { } dataKey) return key.Open(dataKey);
        return Find(key.MasterKey) is { } master ? key.Open(master) : null;
    }

    private async Task<T> AskAsync<T>(Func<IMasterKeyService, Task<T>> ask)
    {
        try
        {
            return await ask(_service!);
        }
        catch (MasterKeyUnavailableException e)
        {
            LogUnavailable(_service!.Name, e.Message);
            throw new RefusedException(new Refusal(RefusalKind.Unavailable, "master_key_unavailable", "The service that seals provider keys does not answer, or refuses to. Its operator finds the reason in the log."));
        }
    }

    private IEnumerable<MasterKey> All()
    {
        if (_given is not null) yield return _given;
        foreach (var old in _old) yield return old;
        if (Kept(make: false) is { } kept) yield return kept;
    }

    private MasterKey? Kept(bool make)
    {
        if (_file is null) return null;
        lock (_making)
        {
            if (_kept is not null) return _kept;
            if (File.Exists(_file)) return _kept = Read(_file);
            return make ? _kept = Make(_file) : null;
        }
    }

    private static MasterKey Read(string file)
    {
        var bytes = new byte[64];
        if (Convert.TryFromBase64String(File.ReadAllText(file).Trim(), bytes, out var length) && length == MasterKey.Bytes) return new MasterKey(bytes.AsSpan(0, length));
        throw new RefusedException(new Refusal(RefusalKind.Unavailable, "master_key_unreadable", $"The file {FileName} in the data folder holds no master key ({MasterKey.Bytes} bytes in base64). Its operator restores it from a backup.") { Retryable = false });
    }

    private MasterKey Make(string file)
    {
        Span<byte> bytes = stackalloc byte[MasterKey.Bytes];
        System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
        // Under another name until it is whole: half a key would be none, and nothing would open what it sealed.
        var unfinished = file + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using (var stream = new FileStream(unfinished, options))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(bytes) + "\n"));
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, file);
        LogMade(Path.GetFullPath(file));
        return new MasterKey(bytes);
    }

    private static RefusedException Unopened(SealedProviderKey key) => new(new Refusal(RefusalKind.Unavailable, "provider_key_sealed",
        $"The stored key at provider '{key.Name.Provider}' was sealed under master key {key.MasterKey}, which does not open it here. Its operator sets that one in PENSTOCK_MASTER_KEYS_OLD, or an admin stores the key again.") { Retryable = false });

    [LoggerMessage(Level = LogLevel.Warning, Message = "Made a master key for stored provider keys in {File}. Back it up apart from the database: without it they do not open")]
    private partial void LogMade(string file);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Service} seals nothing: {Why}")]
    private partial void LogUnavailable(string service, string why);
}
