//! What the API document says of these routes.

use shared::{
    directory::customer_key::CustomerKey,
    openapi::{Operation, operation},
};

use crate::{
    address::{Address, NewAccount, NewHost},
    clock::{Advance, TestClock},
    key::{CreatedKey, Key, NewKey, Rotation, customer::ShownKey},
    link::{CreatedLink, NewLink},
    member::{Member, MemberChange, NewMember},
    tenant::{NewTenant, Tenant, TenantChange, WhoAmI},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    [tenants(), keys(), members(), addresses(), clocks()].into_iter().flatten().collect()
}

fn tenants() -> Vec<Operation> {
    vec![
        operation("createTenant", "Create a tenant.").takes::<NewTenant>().gives::<Tenant>(201),
        operation("listTenants", "List the tenants, oldest first.").gives_page::<Tenant>(),
        operation("getTenant", "Read a tenant.").gives::<Tenant>(200),
        operation("updateTenant", "Rename a tenant.")
            .takes::<TenantChange>()
            .gives::<Tenant>(200)
            .conditional(),
        operation("deleteTenant", "Delete a tenant; it can be restored for 30 days.")
            .gives::<Tenant>(200),
        operation("suspendTenant", "Suspend a tenant: its keys stop working.").gives::<Tenant>(200),
        operation("restoreTenant", "Restore a tenant that is suspended or deleted.")
            .gives::<Tenant>(200),
        operation("whoAmI", "Say who this request comes from.").gives::<WhoAmI>(200),
    ]
}

fn keys() -> Vec<Operation> {
    vec![
        operation("createKey", "Create an API key; its secret is shown this once.")
            .takes::<NewKey>()
            .gives::<CreatedKey>(201),
        operation("verifyKey", "Say whose key of your own API a secret is; 401 when it is none.")
            .takes::<ShownKey>()
            .gives::<CustomerKey>(200),
        operation("listKeys", "List the API keys, revoked ones as well.")
            .query("customer", "Only those of this customer of yours.")
            .gives_page::<Key>(),
        operation("getKey", "Read an API key, without its secret.").gives::<Key>(200),
        operation("revokeKey", "Revoke an API key.").gives::<Key>(200),
        operation("rotateKey", "Replace an API key; the old one works on for the overlap.")
            .takes::<Rotation>()
            .gives::<CreatedKey>(201),
        operation("createLink", "Make a signed link: a short-lived key for one path.")
            .takes::<NewLink>()
            .gives::<CreatedLink>(201),
    ]
}

fn members() -> Vec<Operation> {
    vec![
        operation("createMember", "Add a member.").takes::<NewMember>().gives::<Member>(201),
        operation("listMembers", "List the members, oldest first.").gives_page::<Member>(),
        operation("getMember", "Read a member.").gives::<Member>(200),
        operation("updateMember", "Change a member.")
            .takes::<MemberChange>()
            .gives::<Member>(200)
            .conditional(),
        operation("deleteMember", "Remove a member.").gives_nothing(),
    ]
}

fn addresses() -> Vec<Operation> {
    vec![
        operation("addHost", "Add a host name that leads to the tenant.")
            .takes::<NewHost>()
            .gives::<Address>(201),
        operation("listHosts", "List the host names.").gives_page::<Address>(),
        operation("removeHost", "Remove a host name.").gives_nothing(),
        operation("addAccount", "Add an account at a provider that leads to the tenant.")
            .takes::<NewAccount>()
            .gives::<Address>(201),
        operation("listAccounts", "List the accounts at providers.").gives_page::<Address>(),
        operation("removeAccount", "Remove an account at a provider.").gives_nothing(),
    ]
}

fn clocks() -> Vec<Operation> {
    vec![
        operation("getTestClock", "Read a sandbox's clock.").gives::<TestClock>(200),
        operation("advanceTestClock", "Move a sandbox's clock, doing what is due on the way.")
            .takes::<Advance>()
            .gives::<TestClock>(200),
    ]
}
