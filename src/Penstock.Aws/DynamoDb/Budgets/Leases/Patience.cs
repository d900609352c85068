using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>
/// Who would be given less than it wants while slices are out waits until they are back: what a slice has free is nobody's yet, and must refuse nobody. This
/// node's own go back at once; another node's are open for as long as the balance says.
/// </summary>
internal sealed class Patience(CallLeases leases, LeaseOptions options, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly long _start = time.GetTimestamp();
    private bool _ownAreBack;
    private IReadOnlyList<string> _accounts = [];

    /// <summary>Whether it is worth waiting, as the budgets stand.</summary>
    public bool IsWorth(Money wanted, IReadOnlyList<Account> accounts, IReadOnlyList<Standing> standing)
    {
        if (time.GetElapsedTime(_start) > options.OpenFor + options.Grace) return false;
        var now = time.GetUtcNow() - options.Grace;
        var tight = accounts.Where((account, i) => account.Budget.Hard && standing[i].Of(account).Remaining < wanted).Select(account => account.Id).ToHashSet();
        var areOut = accounts.Where((account, i) => tight.Contains(account.Id) && standing[i].LeasedUntil > now.ToUnixTimeMilliseconds()).Any();
        _accounts = [.. tight];
        return areOut || (!_ownAreBack && leases.AnyOn(_accounts));
    }

    public async Task WaitAsync(CancellationToken ct)
    {
        if (_ownAreBack) await Task.Delay(Pause, time, ct);
        await leases.ReturnAsync(_accounts);
        _ownAreBack = true;
    }
}
