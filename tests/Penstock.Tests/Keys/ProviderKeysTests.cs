using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Tests.Keys;

/// <summary>Sealing, and the change of the master key.</summary>
public sealed class ProviderKeysTests : IAsyncDisposable
{
    private const string Text = "sk-proj-0123456789abcdefghijWXYZ";
    private const string Other = "//////////////////////////////////////////8=";

    private static readonly ProviderKeyName Name = new(TenantId.Default, new KeyId("a"), "openai");

    private readonly EmbeddedStore _store = new();
    private readonly ManualTime _time = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("penstock-");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void A_sealed_key_opens_under_its_own_name_and_master_key_and_no_other()
    {
        var (master, other) = (Master(Callers.MasterKey), Master(Other));
        var row = SealedProviderKey.Seal(master, Name, Text, _time.GetUtcNow());

        Assert.Equal(Text, row.Open(master));
        Assert.Null(row.Open(other));
        Assert.Null((row with { Name = Name with { Tenant = new TenantId("rival") } }).Open(master));
        Assert.Null((row with { Name = Name with { Key = new KeyId("b") } }).Open(master));
        Assert.Null((row with { Name = Name with { Key = null } }).Open(master));
        Assert.Null((row with { Name = Name with { Provider = "anthropic" } }).Open(master));
        // A boundary moved between two parts of the name is another name.
        Assert.Null((row with { Name = new ProviderKeyName(TenantId.Default, new KeyId("ao"), "penai") }).Open(master));
        Assert.Null((row with { Sealed = row.WrappedKey }).Open(master));
        Assert.Null((row with { Sealed = ReadOnlyMemory<byte>.Empty }).Open(master));
        for (var i = 0; i < row.Sealed.Length; i++) Assert.Null((row with { Sealed = Flipped(row.Sealed, i) }).Open(master));
        for (var i = 0; i < row.WrappedKey.Length; i++) Assert.Null((row with { WrappedKey = Flipped(row.WrappedKey, i) }).Open(master));
    }

    [Fact]
    public void No_two_seals_are_alike_and_none_shows_more_than_four_characters()
    {
        var master = Master(Callers.MasterKey);
        var rows = Enumerable.Range(0, 50).Select(_ => SealedProviderKey.Seal(master, Name, Text, _time.GetUtcNow())).ToArray();

        Assert.Equal(100, rows.SelectMany(row => new[] { row.Sealed, row.WrappedKey }).Select(bytes => Convert.ToHexString(bytes.Span[..12])).Distinct().Count());
        Assert.All(rows, row => Assert.Equal("WXYZ", row.Ending));
        Assert.Equal("", SealedProviderKey.Seal(master, Name, Text[..19], _time.GetUtcNow()).Ending);
        Assert.DoesNotContain(Text[8..], rows[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_of_before_open_after_a_change_of_the_master_key_and_a_reseal_needs_the_old_one_no_more()
    {
        await Vault(("PENSTOCK_MASTER_KEY", Callers.MasterKey)).PutAsync(Name, Text, Ct);
        await Vault(("PENSTOCK_MASTER_KEY", Callers.MasterKey)).PutAsync(Name with { Key = null }, Text + "2", Ct);
        (string, string?)[] changed = [("PENSTOCK_MASTER_KEY", Other), ("PENSTOCK_MASTER_KEYS_OLD", $"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, {Callers.MasterKey}")];
        Assert.Equal(Text, await OpenAsync(changed));
        Assert.Equal("provider_key_sealed", (await RefusedAsync(() => OpenAsync(("PENSTOCK_MASTER_KEY", Other)))).Code);

        var (resealed, left) = await Vault(changed).ResealAsync(Ct);

        Assert.Equal((2, 0), (resealed, left.Count));
        Assert.Equal(Text, await OpenAsync(("PENSTOCK_MASTER_KEY", Other)));
        Assert.Equal("provider_key_sealed", (await RefusedAsync(() => OpenAsync(("PENSTOCK_MASTER_KEY", Callers.MasterKey)))).Code);
        Assert.Equal((0, 0), await Vault(changed).ResealAsync(Ct) is var again ? (again.Resealed, again.Left.Count) : default);
    }

    [Fact]
    public async Task What_no_master_key_opens_is_left_and_named()
    {
        await Vault(("PENSTOCK_MASTER_KEY", Callers.MasterKey)).PutAsync(Name, Text, Ct);
        var before = Assert.Single(await _store.ProviderKeys.ListAsync(Name.Tenant, Name.Key, Ct));

        var (resealed, left) = await Vault(("PENSTOCK_MASTER_KEY", Other)).ResealAsync(Ct);

        Assert.Equal((0, Name), (resealed, Assert.Single(left).Name));
        Assert.Equal(before.WrappedKey.ToArray(), Assert.Single(await _store.ProviderKeys.ListAsync(Name.Tenant, Name.Key, Ct)).WrappedKey.ToArray());
    }

    [Fact]
    public async Task On_a_laptop_the_first_key_makes_a_master_key_that_only_its_owner_can_read()
    {
        (string, string?)[] laptop = [("PENSTOCK_DATA", _folder.FullName)];
        var file = Path.Combine(_folder.FullName, MasterKeys.FileName);
        Assert.Null(await OpenAsync(laptop));
        Assert.False(File.Exists(file));

        await Vault(laptop).PutAsync(Name, Text, Ct);

        Assert.Equal(Text, await OpenAsync(laptop));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(32, Convert.FromBase64String((await File.ReadAllTextAsync(file, Ct)).Trim()).Length);
        Assert.Equal([file], Directory.GetFiles(_folder.FullName));
        // Who sets one afterwards still opens what the file's sealed, and can leave it.
        (string, string?)[] grown = [("PENSTOCK_DATA", _folder.FullName), ("PENSTOCK_MASTER_KEY", Other)];
        Assert.Equal(Text, await OpenAsync(grown));
        Assert.Equal(1, (await Vault(grown).ResealAsync(Ct)).Resealed);
        File.Delete(file);
        Assert.Equal(Text, await OpenAsync(grown));
    }

    [Theory]
    [InlineData("PENSTOCK_STORE", "dynamodb")]
    [InlineData("PLATFORM_ENVIRONMENT", "staging")]
    public async Task A_server_that_others_share_makes_no_master_key_and_stores_nothing_without(string name, string value)
    {
        var refusal = await RefusedAsync(() => Vault((name, value), ("AWS_REGION", "eu-central-1"), ("PENSTOCK_DATA", _folder.FullName)).PutAsync(Name, Text, Ct));

        Assert.Equal((503, "no_master_key", false), (refusal.Status, refusal.Code, refusal.Retryable));
        Assert.Contains("PENSTOCK_MASTER_KEY", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.FullName));
        Assert.Empty(await _store.ProviderKeys.ListAsync(Name.Tenant, Name.Key, Ct));
    }

    [Fact]
    public async Task A_file_that_holds_no_master_key_is_told_and_left_as_it_is()
    {
        var file = Path.Combine(_folder.FullName, MasterKeys.FileName);
        await File.WriteAllTextAsync(file, "AAAA", Ct);

        Assert.Equal("master_key_unreadable", (await RefusedAsync(() => Vault(("PENSTOCK_DATA", _folder.FullName)).PutAsync(Name, Text, Ct))).Code);
        Assert.Equal("AAAA", await File.ReadAllTextAsync(file, Ct));
    }

    [Fact]
    public async Task What_another_node_removes_or_stores_counts_within_five_seconds()
    {
        var (here, there) = (Vault(("PENSTOCK_MASTER_KEY", Callers.MasterKey)), Vault(("PENSTOCK_MASTER_KEY", Callers.MasterKey)));
        await there.PutAsync(Name, Text, Ct);
        Assert.Single(await here.OfAsync(Key(), Ct));

        await there.RemoveAsync(Name, Ct);
        _time.Advance(TimeSpan.FromSeconds(5) - TimeSpan.FromTicks(1));
        Assert.Single(await here.OfAsync(Key(), Ct));
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Empty(await here.OfAsync(Key(), Ct));
        Assert.Empty(await there.OfAsync(Key(), Ct));
        // In this process at once, the tenant's too.
        await here.PutAsync(Name with { Key = null }, Text, Ct);
        Assert.Null(Assert.Single(await here.OfAsync(Key(), Ct)).Name.Key);
        await here.PutAsync(Name, Text, Ct);
        Assert.Equal(Name, Assert.Single(await here.OfAsync(Key(), Ct)).Name);
    }

    private ProviderKeys Vault(params (string, string?)[] environment) => Callers.Vault(_store, _time, environment);

    private async Task<string?> OpenAsync(params (string, string?)[] environment)
    {
        var masters = new MasterKeys(Configuration.Sections.Environment(environment), Microsoft.Extensions.Logging.Abstractions.NullLogger<MasterKeys>.Instance);
        return masters.Open(new Caller(Key()) { ProviderKeys = await Vault(environment).OfAsync(Key(), Ct) }, "openai");
    }

    private static KeyRecord Key() => Callers.Key(Callers.Text("a"), DateTimeOffset.UnixEpoch);

    private static MasterKey Master(string base64) => new(Convert.FromBase64String(base64));

    private static byte[] Flipped(ReadOnlyMemory<byte> bytes, int at)
    {
        var copy = bytes.ToArray();
        copy[at] ^= 0x80;
        return copy;
    }

    private static async Task<Refusal> RefusedAsync(Func<Task> act) => (await Assert.ThrowsAsync<RefusedException>(act)).Refusal;
}
